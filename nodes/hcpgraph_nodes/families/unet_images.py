"""Pictures beside the noisy latents of a UNet, and the side of guidance without them."""

from __future__ import annotations

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..conditioning import CHANNELS, Conditioning
from ..model.handles import Denoiser
from . import image_conditions


def packed(denoiser: Denoiser, noisy: Tensor, conditioning: Conditioning) -> Tensor:
    """What a UNet reads (B, C', h, w): the latents, and behind them the channels of its picture.

    Raises:
        GraphError: E_CHANNELS, it reads another number of channels; E_CONDITION, a picture of another size.
    """
    picture = conditioning.parts.get(CHANNELS)
    reads, latents = denoiser.config.get("in_channels", 4), noisy.shape[1]
    beside = 0 if picture is None else picture.shape[1]
    if latents + beside != reads:
        own = image_conditions.MADE_BY.get(image_conditions.of_config(denoiser.config) or "")
        raise GraphError(
            "E_CHANNELS",
            f"the denoiser reads {reads} channels; the latents have {latents} and the picture beside them {beside}",
            hint="wire denoiser and VAE of one model"
            + (f"; this one reads what {own} makes" if own else "; it reads no picture"),
        )
    if picture is None:
        return noisy
    if picture.shape[-2:] != noisy.shape[-2:]:
        width, height = picture.shape[-1], picture.shape[-2]
        raise GraphError(
            "E_CONDITION",
            f"the picture beside the latents has {width}×{height} of them, and the latents are "
            f"{noisy.shape[-1]}×{noisy.shape[-2]}",
            port="conditioning",
            hint="bring it to the size of the pictures, with image.resize",
        )
    return torch.cat([noisy, picture.to(noisy)], dim=1)


def without_image(denoiser: Denoiser, conditioning: Conditioning) -> Conditioning | None:
    """The same without its picture: zeros, as InstructPix2Pix has it; None where a network does not know that.

    Source: Brooks et al. 2023, https://arxiv.org/abs/2211.09800 (section 3.2.1).
    """
    if image_conditions.of_config(denoiser.config) != image_conditions.CHANNELS or CHANNELS not in conditioning.parts:
        return None
    return conditioning.with_parts(**{CHANNELS: torch.zeros_like(conditioning.parts[CHANNELS])})
