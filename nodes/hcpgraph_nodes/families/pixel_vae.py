"""An AutoencoderKL that changes nothing: its latents are the pixels.

With it a small model of the usual classes learns pictures without a VAE that was trained before, and still is a
folder that `StableDiffusionPipeline` loads. A group norm over the channels (x, −x, +C, −C) has mean 0 and, for C much
larger than x, a constant deviation; silu(a) − silu(−a) = a takes the activation back. The error is about 3e-5.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import nn

CHANNELS = 8
CONSTANT = 300.0


def pixel_vae_config(resolution: int, scaling_factor: float) -> dict[str, Any]:
    """Configuration of the AutoencoderKL; latents (B, 3, H, W)."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": [CHANNELS],
        "down_block_types": ["DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D"],
        "layers_per_block": 1,
        "latent_channels": 3,
        "norm_num_groups": 1,
        "mid_block_add_attention": False,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "sample_size": resolution,
        "scaling_factor": scaling_factor,
    }


@torch.no_grad()
def fill(vae: nn.Module) -> nn.Module:
    """Give the module of `pixel_vae_config` its weights."""
    for name, parameter in vae.named_parameters():
        norm = ".norm" in name and name.endswith("weight")
        parameter.fill_(1.0 if norm else 0.0)
    parts: Any = vae
    for half in (parts.encoder, parts.decoder):
        _spread(half.conv_in)
        half.conv_norm_out.weight.fill_(CONSTANT * sqrt(2 / CHANNELS))
        for channel in range(3):
            half.conv_out.weight[channel, channel, 1, 1] = 1.0
            half.conv_out.weight[channel, channel + 3, 1, 1] = -1.0
    parts.encoder.conv_out.bias[3:] = -30.0
    return vae


def _spread(conv: Any) -> None:
    for channel in range(3):
        conv.weight[channel, channel, 1, 1] = 1.0
        conv.weight[channel + 3, channel, 1, 1] = -1.0
    conv.bias[6], conv.bias[7] = CONSTANT, -CONSTANT
