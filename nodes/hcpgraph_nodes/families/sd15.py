"""Stable Diffusion 1.x and everything of its shape."""

from __future__ import annotations

from typing import ClassVar

from .base import Prefixes
from .networks import TextPart
from .sizes import Sizes
from .unet_family import UNetFamily

TABLE = {
    "table": "families",
    "name": "sd15",
    "groups": {"denoiser": ["unet"], "text_encoder": ["clip"], "vae": ["kl_vae"], "controlnet": ["unet"]},
}


class SD15(UNetFamily):
    """OpenAI's CLIP ViT-L/14 and a UNet that predicts the noise. https://arxiv.org/abs/2112.10752"""

    name = "sd15"
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
        ),
    )


FAMILY = SD15()
