"""What the sizes of an AutoencoderKL's tensors say of its configuration, in both layouts (torch-free)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

LEVELS = (("encoder.down_blocks.{}.resnets.{}", "mid_block.attentions."), ("encoder.down.{}.block.{}", "mid.attn_1."))
"""A block of a resolution in diffusers and in the original layout, and what the attention in the middle begins with."""


def kl_sizes(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Entries of a configuration by the sizes of tensors; none where they are not those of an AutoencoderKL.

    Args:
        shapes: Sizes by name, without a prefix.
    """
    latents = shapes.get("decoder.conv_in.weight")
    for block, attention in LEVELS:
        channels: list[int] = []
        layers = 0
        while (found := shapes.get(f"{block.format(len(channels), 0)}.conv2.weight")) is not None:
            channels.append(int(found[0]))
        while f"{block.format(0, layers)}.conv2.weight" in shapes:
            layers += 1
        if channels and latents is not None:
            return {
                "in_channels": int(shapes["encoder.conv_in.weight"][1]),
                "out_channels": int(shapes["decoder.conv_out.weight"][0]),
                "block_out_channels": channels,
                "down_block_types": ["DownEncoderBlock2D"] * len(channels),
                "up_block_types": ["UpDecoderBlock2D"] * len(channels),
                "layers_per_block": layers,
                "latent_channels": int(latents[1]),
                "norm_num_groups": gcd(32, *channels),
                "mid_block_add_attention": any(name.startswith(f"encoder.{attention}") for name in shapes),
                "use_quant_conv": "quant_conv.weight" in shapes,
                "use_post_quant_conv": "post_quant_conv.weight" in shapes,
            }
    return {}
