"""How pictures lead a denoiser: by channels beside those of the noisy latents, or as tokens (torch-free)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .part_probe import denoiser_channels, probe_denoiser, unet_channels
from .table import said

NONE, INPAINT, CHANNELS, TOKENS = "none", "inpaint", "channels", "tokens"
OR = " or "
"""Between what a denoiser takes either of, as a model that reads reference pictures, but needs none."""
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


def of_ratio(pictures: Mapping[str, Any], reads: int, gives: int) -> str | None:
    """What pictures a denoiser of a family reads.

    Args:
        pictures: The entry `pictures` of the family's table.
        reads: Channels that it reads.
        gives: Channels that it gives.
    """
    kinds = pictures["kinds"]
    times = kinds.get(str(reads // gives)) if reads % gives == 0 else None
    found = times or (kinds.get("more") if reads > gives else None)
    return None if found is None else str(found)


def image_fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The fact `image` of the denoiser at `path`: what pictures it reads, None where that is not known."""
    path = settings.get("path")
    if not isinstance(path, str):
        return None
    source = resolve(path)
    family = probe_denoiser(source)
    if (pictures := said(family, "pictures")) is not None:
        return of_ratio(pictures, *denoiser_channels(source, pictures["reads"], pictures["gives"]))
    return None if said(family, "configured") else kind(*unet_channels(source))


def new_image_fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The fact `image` of a denoiser that `model.new` makes: a UNet reads none; of others it is not known."""
    return None if said(settings.get("family"), "configured") else NONE
