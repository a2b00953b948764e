"""How pictures lead a UNet: by channels beside those of the noisy latents (torch-free)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .probe import safetensors_header

LDM_UNET = "model.diffusion_model."
NONE, INPAINT, CHANNELS, TOKENS = "none", "inpaint", "channels", "tokens"
FIRST, LAST = LDM_UNET + "input_blocks.0.0.weight", LDM_UNET + "out.2.weight"
MADE_BY = {INPAINT: "condition.inpaint", CHANNELS: "condition.image", TOKENS: "condition.image by tokens"}
"""What a denoiser reads -> the node that makes it."""


def kind(reads: int, gives: int) -> str | None:
    """What pictures a UNet reads.

    Args:
        reads: Channels that it reads.
        gives: Channels that it gives, those of the latents.

    Returns:
        `none`; `inpaint`, a mask and the latents of a masked picture (Rombach et al. 2022, arXiv 2112.10752, as it was
        released for it); `channels`, the latents of a picture (Brooks et al. 2023, InstructPix2Pix, arXiv 2211.09800);
        None of others.
    """
    return {gives: NONE, 2 * gives + 1: INPAINT, 2 * gives: CHANNELS}.get(reads)


def of_config(config: Mapping[str, Any]) -> str | None:
    """What pictures the UNet of a configuration reads."""
    return kind(config.get("in_channels", 4), config.get("out_channels", 4))


def image_fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The fact `image` of the denoiser at `path`: what pictures it reads, None where that is not known."""
    path = settings.get("path")
    if not isinstance(path, str):
        return None
    place = resolve(path)
    if place.is_dir():
        folder = place / "unet" if (place / "unet").is_dir() else place
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return of_config(config) if config.get("_class_name") == "UNet2DConditionModel" else None
    header = safetensors_header(place)
    prefix = LDM_UNET if FIRST in header else ""
    shapes = [header[prefix + name.removeprefix(LDM_UNET)]["shape"] for name in (FIRST, LAST)]
    return kind(shapes[0][1], shapes[1][0])
