"""Stable Diffusion 1.x and everything of its shape."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Prefixes
from .networks import TextPart
from .sizes import Sizes
from .unet_family import UNetFamily

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "sd15",
    "title": "Stable Diffusion 1.x",
    "folder": [
        {
            "parts": {"unet": "UNet2DConditionModel", "text_encoder": "CLIPTextModel", "text_encoder_2": None},
            "configs": {"text_encoder": {}},
        }
    ],
    "file": [
        {
            "keys": ["model.diffusion_model.", "cond_stage_model.transformer."],
            "without": [
                "model.diffusion_model.label_emb.0.0.weight",
                "cond_stage_model.model.",
                "conditioner.embedders.1.model.",
            ],
        },
        {
            "shapes": {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [None, 768]},
            "without": [
                "model.diffusion_model.label_emb.0.0.weight",
                "cond_stage_model.transformer.",
                "cond_stage_model.model.",
                "conditioner.embedders.1.model.",
            ],
        },
    ],
    "controlnet": [{"config": {"cross_attention_dim": 768}, "rank": 2}, {"rank": 0}],
    "process": "vp",
    "denoiser": [
        {"config": {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}, "rank": 2},
        {"config": {"_class_name": "UNet2DConditionModel"}, "rank": 0},
    ],
    "denoiser_file": [
        {"shapes": {"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [None, 768]}, "without": ["label_emb."]},
        {
            "shapes": {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [None, 768]},
            "without": ["add_embedding."],
        },
    ],
    "text_encoder": [
        {"config": {"networks": 1, "hidden_act": "quick_gelu", "architectures": ["CLIPTextModel"]}},
        {"config": {"networks": 1, "hidden_size": 768}},
    ],
    "interfaces": {"latents": "sd", "text": "sd15", "controlnet": "sd"},
    "conditions": ["image_channels"],
    "text_networks": 1,
    "adapters": {"base_version": "sd_v1", "architecture": "stable-diffusion-v1"},
    "word_widths": {"768": "Stable Diffusion 1.x"},
    "defaults": {
        "area": 262144,
        "width": 512,
        "height": 512,
        "bucket_step": 64,
        "sampler": "dpmpp_2m_karras",
        "steps": 25,
        "guidance": 7.5,
        "distribution": "uniform",
        "weighting": "min_snr",
    },
    "groups": {"denoiser": ["unet"], "text_encoder": ["clip"], "vae": ["kl_vae"], "controlnet": ["unet"]},
}


class SD15(UNetFamily):
    """OpenAI's CLIP ViT-L/14 and a UNet that predicts the noise. https://arxiv.org/abs/2112.10752"""

    name = TABLE["name"]
    lora_prefix: ClassVar[Prefixes] = {"denoiser": {"": "lora_unet_"}, "text_encoder": {"": "lora_te_"}}
    peft_prefix: ClassVar[Prefixes] = {"denoiser": {"": "unet."}, "text_encoder": {"": "text_encoder."}}
    architecture = "stable-diffusion-v1"
    base_version = "sd_v1"
    resolution = "512x512"
    sizes = Sizes()
    texts = (
        TextPart(
            name="text_encoder",
            tokenizer="tokenizer",
            prefix="",
            single="cond_stage_model.transformer.",
            open_clip=False,
            padding="<|endoftext|>",
            comfy="clip_l",
            other_kohya=("lora_te1_",),
        ),
    )


FAMILY = SD15()
