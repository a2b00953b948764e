"""Pictures beside the noisy latents of a UNet, and the side of guidance without them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conditioning import CHANNELS, Conditioning
from ..model.handles import Denoiser
from . import image_conditions
from .pictures import beside


def packed(denoiser: Denoiser, noisy: Tensor, conditioning: Conditioning) -> Tensor:
    """What a UNet reads (B, C', h, w): the latents, and behind them the channels of its picture.

    Raises:
        GraphError: E_CHANNELS, it reads another number of channels; E_CONDITION, a picture of another size.
    """
    kind = image_conditions.of_config(denoiser.config)
    return beside(noisy, conditioning, denoiser.config.get("in_channels", 4), kind)


def without_image(denoiser: Denoiser, conditioning: Conditioning) -> Conditioning | None:
    """The same without its picture: zeros, as InstructPix2Pix has it; None where a network does not know that.

    Source: Brooks et al. 2023, https://arxiv.org/abs/2211.09800 (section 3.2.1).
    """
    if image_conditions.of_config(denoiser.config) != image_conditions.CHANNELS or CHANNELS not in conditioning.parts:
        return None
    return conditioning.with_parts(**{CHANNELS: torch.zeros_like(conditioning.parts[CHANNELS])})
