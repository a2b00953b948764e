"""`noise.coarse`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Seed, Slider

from ..types import Latents, Noise
from .coarser import Mode, coarser, upsampled, variance
from .draws import draw, normal_rows


@node("noise.coarse", effects="random", gradient=False)
def coarse_noise(
    ctx: Context,
    latents: Latents,
    *,
    factor: Annotated[float, Field(ge=1, le=256), Slider(step=0.5, primary=True)] = 4.0,
    mode: Mode = "bilinear",
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Noise:
    """Draw Gaussian noise at a lower resolution and bring it to the size of the latents; every number has variance 1.

    What interpolation takes from the variance is given back, place by place. Draws depend on the sample, or on the
    seed, as those of noise.gaussian do.

    Args:
        latents: Latents (B, C, h, w); only their shape and sample keys are read.
        factor: How many times smaller height and width are in which it is drawn; rounded down, at least 1.
        mode: How it is brought to size: `bilinear`, smooth, or `nearest`, in squares.
        seed: Seed for latents that came from no data set.

    Returns:
        out: Noise (B, C, h, w).
    """
    count, channels, *size = latents.data.shape
    full = (size[0], size[1])
    small = coarser(full, factor)
    if latents.keys is not None:
        drawn = normal_rows(ctx, (count, channels, *small), latents.keys)
    else:
        drawn = draw(ctx.generators(seed, count), (count, channels, *small)).to(latents.data.device)
    return Noise(upsampled(drawn, full, mode) / variance(small, full, mode).sqrt().to(drawn.device), latents.keys)
