"""Stable Diffusion 2.x: OpenCLIP's text encoder, and noise or velocity as what is predicted."""

from __future__ import annotations

from typing import ClassVar

from .base import Prefixes
from .networks import TextPart
from .sizes import Sizes, TextSizes
from .unet_family import UNetFamily

TABLE = {
    "table": "families",
    "name": "sd2",
    "groups": {"denoiser": ["unet"], "text_encoder": ["clip"], "vae": ["kl_vae"], "controlnet": ["unet"]},
}


class SD2(UNetFamily):
    """OpenCLIP's ViT-H/14 without its last layer, and a UNet with linear projections.

    The models for 768 pixels predict the velocity, those for 512 pixels (base) the noise; their single files do not
    say which. Source: https://github.com/Stability-AI/stablediffusion (configs/stable-diffusion).
    """

    name = "sd2"
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
        ),
    )

    def spec_architecture(self, prediction_type: str) -> str:
        return self.architecture if prediction_type == "v_prediction" else "stable-diffusion-v2-512"


FAMILY = SD2()
