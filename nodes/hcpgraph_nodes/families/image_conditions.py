"""How pictures lead a UNet: by channels beside those of the noisy latents (torch-free)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .part_probe import unet_channels

NONE, INPAINT, CHANNELS, TOKENS = "none", "inpaint", "channels", "tokens"
ASIDE = "take the wire away; condition.image and condition.inpaint lead models that read pictures beside the latents"
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
    return kind(*unet_channels(resolve(path))) if isinstance(path, str) else None
