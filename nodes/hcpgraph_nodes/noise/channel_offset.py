"""`noise.channel_offset`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Slider

from ..types import Noise, SampleKey, wide
from .draws import normal_rows, row_keys


@node("noise.channel_offset", effects="random", title="Offset by channel")
def channel_offset(
    ctx: Context,
    noise: Noise,
    *,
    strengths: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1, max_length=128)] = [0.05],  # noqa: B006
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
    vary: bool = False,
) -> Noise:
    """Shift noise by a constant per channel, each channel as strongly as it should be, and some samples not at all.

    With one strength, always, it is noise.offset and draws the same numbers. What comes out has the variance 1 + s²
    and is what the model predicts: wire it to diffusion.add_noise and to diffusion.target. Strengths that vary are
    kohya's. Source: https://www.crosslabs.org/blog/diffusion-with-offset-noise

    Args:
        noise: Gaussian noise (B, C, h, w).
        strengths: Size of the shift, one for all channels or one for each.
        probability: How many of the samples are shifted.
        vary: Multiply the strengths by a number in [0, 1) that is drawn for each sample.

    Returns:
        out: The shifted noise (B, C, h, w).

    Raises:
        GraphError: E_WEIGHTS_COUNT, neither one strength nor one for each channel.
    """
    rows, channels = noise.data.shape[:2]
    if len(strengths) not in (1, channels):
        message = f"{len(strengths)} strengths for {channels} channels"
        raise GraphError("E_WEIGHTS_COUNT", message, port="strengths", hint="write one strength, or one a channel")
    factor = torch.tensor(strengths, device=noise.data.device).view(1, -1, 1, 1)
    shift = normal_rows(ctx, (rows, channels, 1, 1), noise.keys) * factor
    keys = row_keys(noise.keys, rows)
    if vary:
        shift = shift * wide(_drawn(ctx, keys, "strength").to(shift), shift)
    if probability < 1:
        shift = shift * wide((_drawn(ctx, keys, "whether") < probability).to(shift), shift)
    return Noise(noise.data + shift, noise.keys)


def _drawn(ctx: Context, keys: tuple[SampleKey, ...], what: str) -> Tensor:
    """A uniform number for each sample (B,), on the CPU, from a stream beside that of the shift."""
    return torch.stack([torch.rand((), generator=ctx.generator((key, what))) for key in keys])
