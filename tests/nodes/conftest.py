"""Tiny models of every family, made with diffusers and transformers alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 32,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}
VAE = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 16,
}
TEXT = {
    "vocab_size": 1000,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "bos_token_id": 998,
    "eos_token_id": 999,
    "pad_token_id": 999,
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
SD2_UNET = {**UNET, "attention_head_dim": (2, 4), "use_linear_projection": True}
OPEN_CLIP = {**TEXT, "hidden_act": "gelu", "pad_token_id": 1}
SDXL_UNET = {
    **SD2_UNET,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2),
    "cross_attention_dim": 32 + 40,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 24,
}
SDXL_TEXT_2 = {**OPEN_CLIP, "hidden_size": 40, "projection_dim": 24}
SDXL_SCHEDULE = {
    **{key: SCHEDULE[key] for key in ("beta_start", "beta_end", "beta_schedule", "steps_offset")},
    "timestep_spacing": "leading",
    "interpolation_type": "linear",
}


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder: UNet with two resolutions, VAE with factor 2, CLIP with three layers; random weights."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from hcpgraph_nodes.families.clip_bpe import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("tiny") / "sd"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = StableDiffusionPipeline(
            vae=AutoencoderKL(**VAE),
            text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT)),
            tokenizer=clip_tokenizer(TEXT["vocab_size"]),
            unet=UNet2DConditionModel(**UNET),
            scheduler=DDIMScheduler(**SCHEDULE),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sd2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder in the layout of SD 2.1: linear projections, OpenCLIP's text encoder, v-prediction."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from hcpgraph_nodes.families.clip_bpe import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("tiny") / "sd2"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        pipeline = StableDiffusionPipeline(
            vae=AutoencoderKL(**VAE),
            text_encoder=CLIPTextModel(CLIPTextConfig(**OPEN_CLIP)),
            tokenizer=clip_tokenizer(OPEN_CLIP["vocab_size"], pad="!"),
            unet=UNet2DConditionModel(**SD2_UNET),
            scheduler=DDIMScheduler(**SCHEDULE, prediction_type="v_prediction"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder in the layout of SDXL: text encoders of width 32 and 40, pooled of width 24."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from hcpgraph_nodes.families.clip_bpe import clip_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    folder = tmp_path_factory.mktemp("tiny") / "sdxl"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        pipeline = StableDiffusionXLPipeline(
            vae=AutoencoderKL(**VAE, scaling_factor=0.13025, force_upcast=True),
            text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT)),
            text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**SDXL_TEXT_2)),
            tokenizer=clip_tokenizer(TEXT["vocab_size"]),
            tokenizer_2=clip_tokenizer(SDXL_TEXT_2["vocab_size"], pad="!"),
            unet=UNet2DConditionModel(**SDXL_UNET),
            scheduler=EulerDiscreteScheduler(**SDXL_SCHEDULE),
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def family_files(
    tiny_folder: Path, tiny_sd2_folder: Path, tiny_sdxl_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A workspace with a folder and a single file of every family."""
    from hcpgraph_nodes.model.load import load_model
    from hcpgraph_nodes.model.save import save_model

    from hcpgraph.testing import context

    root = tmp_path_factory.mktemp("files")
    ctx = context(root, graph_text=lambda: '{"format":"hcpgraph/1"}')
    for name, folder in {"sd15": tiny_folder, "sd2": tiny_sd2_folder, "sdxl": tiny_sdxl_folder}.items():
        shutil.copytree(folder, root / "models" / name)
        model = load_model(ctx, path=f"models:{name}")
        save_model(ctx, *model, path=f"models:{name}.safetensors", layout="single_file")
    return root


@pytest.fixture
def workspace(tiny_folder: Path, tmp_path: Path) -> Path:
    """An empty workspace that holds the tiny model as `models:tiny`."""
    shutil.copytree(tiny_folder, tmp_path / "models" / "tiny")
    return tmp_path
