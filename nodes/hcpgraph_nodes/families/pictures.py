"""Pictures beside the noisy latents of a denoiser, by channels."""

from __future__ import annotations

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..conditioning import CHANNELS, Conditioning
from .image_conditions import MADE_BY


def beside(noisy: Tensor, conditioning: Conditioning, reads: int, kind: str | None) -> Tensor:
    """What a denoiser reads (B, C', h, w): the latents, and behind them the channels of its picture.

    Args:
        noisy: Latents (B, C, h, w).
        conditioning: What may have the picture (B, C' − C, h, w).
        reads: Channels that the denoiser reads, C'.
        kind: What pictures it reads, see `image_conditions`, for messages.

    Raises:
        GraphError: E_CHANNELS, it reads another number of channels; E_CONDITION, a picture of another size.
    """
    picture = conditioning.parts.get(CHANNELS)
    latents = noisy.shape[1]
    channels = 0 if picture is None else picture.shape[1]
    if latents + channels != reads:
        own = MADE_BY.get(kind or "")
        raise GraphError(
            "E_CHANNELS",
            f"the denoiser reads {reads} channels; the latents have {latents} and the picture beside them {channels}",
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
