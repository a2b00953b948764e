"""Stable Diffusion 2.x: OpenCLIP's text encoder, and noise or velocity as what is predicted."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Prefixes
from .networks import TextPart
from .sizes import Sizes, TextSizes
from .unet_family import UNetFamily

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "sd2",
    "title": "Stable Diffusion 2.x",
    "folder": [
        {
            "parts": {"unet": "UNet2DConditionModel", "text_encoder": "CLIPTextModel", "text_encoder_2": None},
            "configs": {"text_encoder": {"hidden_act": "gelu"}},
        }
    ],
    "file": [
        {
            "keys": ["model.diffusion_model.", "cond_stage_model.model."],
            "without": [
                "model.diffusion_model.label_emb.0.0.weight",
                "cond_stage_model.transformer.",
                "conditioner.embedders.1.model.",
            ],
        },
        {
            "shapes": {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [None, 1024]},
            "without": [
                "model.diffusion_model.label_emb.0.0.weight",
                "cond_stage_model.transformer.",
                "cond_stage_model.model.",
                "conditioner.embedders.1.model.",
            ],
        },
    ],
    "controlnet": [
        {"config": {"cross_attention_dim": 1024}, "rank": 2},
        {"config": {"use_linear_projection": True}, "rank": 1},
    ],
    "process": "vp",
    "denoiser": [
        {"config": {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 1024}, "rank": 2},
        {"config": {"_class_name": "UNet2DConditionModel", "use_linear_projection": True}, "rank": 1},
    ],
    "denoiser_file": [
        {
            "shapes": {"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [None, 1024]},
            "without": ["label_emb."],
        },
        {
            "shapes": {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [None, 1024]},
            "without": ["add_embedding."],
        },
    ],
    "text_encoder": [
        {"config": {"networks": 1, "hidden_act": "gelu", "architectures": ["CLIPTextModel"]}},
        {"config": {"networks": 1, "hidden_size": 1024}},
    ],
    "interfaces": {"latents": "sd", "text": "sd2", "controlnet": "sd"},
    "conditions": ["image_channels"],
    "text_networks": 1,
    "adapters": {"base_version": "sd_v2", "architecture": "stable-diffusion-v2"},
    "word_widths": {"1024": "Stable Diffusion 2.x"},
    "defaults": {
        "area": 589824,
        "width": 768,
        "height": 768,
        "bucket_step": 64,
        "sampler": "dpmpp_2m_karras",
        "steps": 25,
        "guidance": 7.5,
        "distribution": "uniform",
        "weighting": "min_snr",
    },
    "groups": {"denoiser": ["unet"], "text_encoder": ["clip"], "vae": ["kl_vae"], "controlnet": ["unet"]},
}


class SD2(UNetFamily):
    """OpenCLIP's ViT-H/14 without its last layer, and a UNet with linear projections.

    The models for 768 pixels predict the velocity, those for 512 pixels (base) the noise; their single files do not
    say which. Source: https://github.com/Stability-AI/stablediffusion (configs/stable-diffusion).
    """

    name = TABLE["name"]
    lora_prefix: ClassVar[Prefixes] = {"denoiser": {"": "lora_unet_"}, "text_encoder": {"": "lora_te_"}}
    peft_prefix: ClassVar[Prefixes] = {"denoiser": {"": "unet."}, "text_encoder": {"": "text_encoder."}}
    architecture = "stable-diffusion-v2-768-v"
    base_version = "sd_v2_v"
    resolution = "768x768"
    file_prediction = None
    sizes = Sizes(
        heads=(5, 10, 20, 20),
        linear=True,
        texts=(TextSizes(width=1024, layers=23, heads=16, act="gelu", projection=512, padding=1),),
        resolution=768,
    )
    texts = (
        TextPart(
            name="text_encoder",
            tokenizer="tokenizer",
            prefix="",
            single="cond_stage_model.model.",
            open_clip=True,
            padding="!",
            comfy="clip_h",
            other_kohya=("lora_te1_",),
        ),
    )

    def spec_architecture(self, prediction_type: str) -> str:
        return self.architecture if prediction_type == "v_prediction" else "stable-diffusion-v2-512"


FAMILY = SD2()
