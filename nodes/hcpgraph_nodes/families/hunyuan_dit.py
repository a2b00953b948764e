"""HunyuanDiT 1.0 to 1.2: a transformer that predicts the velocity of a table of timesteps, led by BERT and mT5.

Source: Li et al. 2024, https://arxiv.org/abs/2405.08748; HunyuanDiTPipeline in diffusers; names in the authors' files:
https://github.com/Tencent/HunyuanDiT (hydit/modules).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import private
from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.bert import bert
from .dit.family import TransformerFamily
from .dit.hunyuan_net import HunyuanNetwork
from .dit.layout import Layout, Shapes, rows
from .dit.networks import Network, TextNetworks, count, first
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .dit.t5 import t5
from .identity import FACTOR
from .networks import Config
from .sizes import Sizes, vae_config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "hunyuan_dit",
    "title": "HunyuanDiT",
    "folder": [{"parts": {"transformer": "HunyuanDiT2DModel"}}],
    "file": [{"keys": ["model.diffusion_model.mlp_t5."]}, {"keys": ["model.mlp_t5."]}],
    "denoiser": [{"config": {"_class_name": "HunyuanDiT2DModel"}}],
    "denoiser_file": [{"keys": ["mlp_t5.", "pooler."]}, {"keys": ["time_extra_emb.pooler.", "text_embedder."]}],
    "text_encoder": [{"config": {"kinds": ["bert", "t5"]}}],
    "process": "vp",
    "predicts": "v_prediction",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "sdxl", "text": "hunyuan_dit"},
    "conditions": [],
    "reads_sizes": True,
    "text_networks": 2,
    "adapters": {
        "base_version": "hunyuan_dit",
        "architecture": "hunyuan-dit",
        "keys": ["mlp_t5", "default_modulation", "attn1.Wqkv", "attn2.kv_proj", "attn1_Wqkv", "attn2_kv_proj"],
    },
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "ddpm",
        "steps": 50,
        "guidance": 5.0,
        "distribution": "uniform",
        "weighting": "min_snr",
    },
    "groups": {
        "denoiser": [
            {
                "attention": [r"re:.*\.attn[12]\.to_(q|k|v|out\.0)$"],
                "self_attention": [r"re:.*\.attn1\.to_(q|k|v|out\.0)$"],
                "cross_attention": [r"re:.*\.attn2\.to_(q|k|v|out\.0)$"],
                "text_key_value": [r"re:.*\.attn2\.to_(k|v)$"],
                "mlp": [r"re:.*\.ff\.net\.(0\.proj|2)$"],
                "conv": ["cls:Conv2d"],
                "norm": [r"re:.*\.norm(1\.norm|1\.linear|2|3|_q|_k)$", r"re:.*\.skip_norm$", "norm_out.linear"],
                "embedding": [
                    r"re:time_extra_emb\..*linear_[12]$",
                    "time_extra_emb.style_embedder",
                    r"re:text_embedder\.linear_[12]$",
                    "pos_embed",
                ],
            }
        ],
        "text_encoder": ["bert", "t5"],
        "vae": ["kl_vae"],
    },
}
SECOND = "text_2"
"""The part of a conditioning that mT5 makes."""
NAMES = {
    "x_embedder.proj": "pos_embed.proj",
    "pooler": "time_extra_emb.pooler",
    "style_embedder": "time_extra_emb.style_embedder",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    **{
        f"{original}.{index}": f"{own}.linear_{index // 2 + 1}"
        for original, own in {
            "t_embedder.mlp": "time_extra_emb.timestep_embedder",
            "extra_embedder": "time_extra_emb.extra_embedder",
            "mlp_t5": "text_embedder",
        }.items()
        for index in (0, 2)
    },
    **{
        f"blocks.*.{original}": f"blocks.*.{own}"
        for original, own in {
            "norm1": "norm1.norm",
            "default_modulation.1": "norm1.linear",
            "norm2": "norm3",
            "norm3": "norm2",
            "attn1.q_norm": "attn1.norm_q",
            "attn1.k_norm": "attn1.norm_k",
            "attn1.out_proj": "attn1.to_out.0",
            "attn2.q_proj": "attn2.to_q",
            "attn2.q_norm": "attn2.norm_q",
            "attn2.k_norm": "attn2.norm_k",
            "attn2.out_proj": "attn2.to_out.0",
            "mlp.fc1": "ff.net.0.proj",
            "mlp.fc2": "ff.net.2",
        }.items()
    },
    "blocks.*.attn1.Wqkv": [f"blocks.*.attn1.to_{part}" for part in "qkv"],
    "blocks.*.attn2.kv_proj": [f"blocks.*.attn2.to_{part}" for part in "kv"],
}
TOKENS, SECOND_TOKENS = 77, 256
SOURCE = 1024
"""Sides of the picture that a drawn one is said to be of, pixels: the pipeline's `original_size`."""
BASE = 64
"""Side of the latents, of 512×512 pixels, whose grid the rotary positions are scaled to."""
OLD_END, NEW_END = 0.03, 0.018
"""`beta_end` up to version 1.1 and of 1.2."""
MLP_RATIO = 4.3637


def layout(config: Config) -> Layout:
    """The authors' layout, whose second and third norm of a block stand in the other order."""
    return Layout(rows(NAMES, ["final_layer.adaLN_modulation.1"]))


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout."""
    patches = first(shapes, "x_embedder.proj.weight", "pos_embed.proj.weight")
    head = first(shapes, "blocks.0.attn1.q_norm.weight", "blocks.0.attn1.norm_q.weight")
    wide = first(shapes, "blocks.0.mlp.fc1.weight", "blocks.0.ff.net.0.proj.weight")
    last = first(shapes, "final_layer.linear.weight", "proj_out.weight")
    tokens = first(shapes, "pooler.positional_embedding", "time_extra_emb.pooler.positional_embedding")
    pooled = first(shapes, "pooler.c_proj.weight", "time_extra_emb.pooler.c_proj.weight")
    extra = first(shapes, "extra_embedder.0.weight", "time_extra_emb.extra_embedder.linear_1.weight")
    padding = shapes.get("text_embedding_padding")
    found = (patches, head, wide, last, tokens, pooled, extra, padding)
    if any(each is None for each in found):
        return {}
    patches, head, wide, last, tokens, pooled, extra, padding = (each for each in found if each is not None)
    same = int(patches[0] * MLP_RATIO) == wide[0]
    return {
        "num_layers": count(shapes, "blocks."),
        "hidden_size": patches[0],
        "attention_head_dim": head[0],
        "num_attention_heads": patches[0] // head[0],
        "mlp_ratio": MLP_RATIO if same else (wide[0] + 0.5) / patches[0],  # diffusers cuts the product off
        "patch_size": patches[2],
        "in_channels": patches[1],
        "learn_sigma": last[0] == 2 * patches[2] ** 2 * patches[1],
        "cross_attention_dim": padding[1],
        "cross_attention_dim_t5": pooled[1],
        "pooled_projection_dim": pooled[0],
        "text_len": padding[0] - tokens[0] + 1,
        "text_len_t5": tokens[0] - 1,
        "use_style_cond_and_image_meta_size": extra[1] != pooled[0],
    }


def odd(config: Config) -> str | None:
    """Why diffusers could not run a network of this configuration."""
    layers = config.get("num_layers", 0)
    return f"it has {layers} blocks, and each of the first half is joined to one of the second" if layers % 2 else None


class HunyuanDiT(TransformerFamily):
    """Tokens of padding are replaced by learnt ones in the network, which also pools mT5's. Up to version 1.1 it reads
    the sizes of pictures. It also predicts a variance, in further channels, which the pipeline leaves out and which no
    loss here trains.
    """

    name = TABLE["name"]
    architecture = "hunyuan-dit-v1.2"
    base_version = "hunyuan_dit"
    pipeline = "HunyuanDiTPipeline"
    nulls = ("safety_checker", "feature_extractor")
    index: ClassVar[dict[str, Any]] = {"requires_safety_checker": False}
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, SECOND})
    masked = True
    upcast_vae = True
    transformer = HunyuanNetwork(
        name="transformer",
        cls="HunyuanDiT2DModel",
        released={
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 4,
            "num_layers": 40,
            "hidden_size": 1408,
            "attention_head_dim": 88,
            "num_attention_heads": 16,
            "mlp_ratio": MLP_RATIO,
            "learn_sigma": True,
            "activation_fn": "gelu-approximate",
            "norm_type": "layer_norm",
            "cross_attention_dim": 1024,
            "cross_attention_dim_t5": 2048,
            "pooled_projection_dim": 1024,
            "text_len": TOKENS,
            "text_len_t5": SECOND_TOKENS,
            "use_style_cond_and_image_meta_size": False,
        },
        tiny={
            "num_layers": 4,
            "hidden_size": 16,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "mlp_ratio": 2.0,
            "cross_attention_dim": 16,
            "cross_attention_dim_t5": 32,
            "pooled_projection_dim": 16,
        },
        layout=layout,
        files=("model.diffusion_model.", "model."),
        sized=sized,
        foreign=odd,
    )
    vae = Network(
        name="vae",
        cls="AutoencoderKL",
        released=vae_config(Sizes(scaling_factor=0.13025, resolution=1024)),
        tiny={"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64},
        files=("vae.",),
    )
    texts = (
        bert("text_encoder", "tokenizer", TOKENS, comfy="hydit_clip"),
        replace(
            t5(
                "text_encoder_2",
                "tokenizer_2",
                SECOND_TOKENS,
                released={"d_model": 2048, "d_ff": 5120, "num_heads": 32, "vocab_size": 250112},
                comfy="mt5xl",
            ),
            older_cls=("MT5EncoderModel",),
        ),
    )
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": NEW_END,
        "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction",
        "clip_sample": False,
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }

    def scheduler_of(self, config: Config) -> Config:
        """Older versions are those that read the sizes of pictures."""
        return {**self.scheduler, "beta_end": OLD_END if _reads_sizes(config) else NEW_END}

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The tokens of both networks with their masks, which the networks and the denoiser read."""
        refuse_clip_skip(clip_skip, self.name)
        parts, masks = {}, {}
        for part, network in zip((TEXT, SECOND), self.texts, strict=True):
            clip = networks_of(text_encoder)[network.name]
            ids, masks[part] = tokenised(text_encoder, clip, texts, network.length)
            parts[part] = module(network.name, ids, attention_mask=masks[part])[0].float()
        return Conditioning(parts, masks)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """Sizes that are not given are those of the pipeline: a picture of 1024×1024 pixels, scaled to the latents."""
        given: dict[str, Any] = {"hidden_states": noisy, "timestep": timesteps.to(noisy.dtype)}
        for part, ending in ((TEXT, ""), (SECOND, "_t5")):
            tokens = conditioning.part(part)
            mask = conditioning.masks.get(part)
            every = torch.ones(tokens.shape[:2], dtype=torch.bool, device=noisy.device)
            given[f"encoder_hidden_states{ending}"] = tokens.to(noisy.dtype).contiguous()
            given[f"text_embedding_mask{ending}"] = every if mask is None else mask
        config = denoiser.config
        given["image_rotary_emb"] = rotary(config, noisy)
        if _reads_sizes(config):
            if sizes is None:
                height, width = (side * config[FACTOR] for side in noisy.shape[-2:])
                sizes = torch.tensor([[SOURCE, SOURCE, 0, 0, height, width]])
            numbers = sizes.to(noisy.device, torch.float32).expand(len(noisy), -1)
            given["image_meta_size"] = numbers[:, [0, 1, 4, 5, 2, 3]]
            given["style"] = torch.zeros(len(noisy), dtype=torch.long, device=noisy.device)
        return given

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """The velocity alone."""
        velocity: Tensor = raw[:, : noisy.shape[1]]
        return velocity


def rotary(config: Config, noisy: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (L, head) of the patches of latents, whose grid is scaled to fit into the middle of the base's.

    Args:
        config: Of the network.
        noisy: Latents (B, C, h, w).
    """
    patch = int(config["patch_size"])
    grid = noisy.shape[-2] // patch, noisy.shape[-1] // patch
    base = BASE // patch
    scaled = [round(base / max(grid) * side) for side in grid]
    start = [round((base - side) / 2) for side in scaled]
    stop = [first + side for first, side in zip(start, scaled, strict=True)]
    return private.rotary_grid(config["attention_head_dim"], (start, stop), grid, noisy.device)


def _reads_sizes(config: Config) -> bool:
    return bool(config.get("use_style_cond_and_image_meta_size", True))


FAMILY = HunyuanDiT()
