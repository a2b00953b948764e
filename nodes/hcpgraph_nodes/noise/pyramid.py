"""`noise.pyramid`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Hint, Slider

from ..types import Noise
from .coarser import Mode, coarser, upsampled, variance
from .draws import row_keys


@node("noise.pyramid", effects="random", title="Pyramid noise")
def pyramid_noise(
    ctx: Context,
    noise: Noise,
    *,
    levels: Annotated[int, Field(ge=1, le=16), Slider(step=1, primary=True)] = 6,
    discount: Annotated[float, Field(ge=0, le=1), Slider(step=0.05, primary=True)] = 0.4,
    factor: Annotated[float, Field(gt=1, le=16), Slider(step=0.5)] = 2.0,
    vary: Annotated[float, Field(ge=0, le=16), Hint(advanced=True)] = 0.0,
    mode: Annotated[Mode, Hint(advanced=True)] = "bilinear",
) -> Noise:
    """Add noise of coarser and coarser resolutions, so that the model learns large shapes and brightness too.

    Level i is drawn at the size h / r^i × w / r^i, brought to the size of the noise and added with the weight
    discount^i; the sum is divided by its standard deviation at every place, so that each number has variance 1 and
    nothing depends on the batch. Wire it to diffusion.add_noise and to diffusion.target: what is added is what is to be
    predicted. Source: Whitaker 2023,
    https://wandb.ai/johnowhitaker/multires_noise/reports/Multi-Resolution-Noise-for-Diffusion-Model-Training--VmlldzozNjYyOTU2

    Args:
        noise: Gaussian noise (B, C, h, w), the finest level.
        levels: Coarser levels; it ends with the first one that is 1 high or wide.
        discount: Weight of a level, by that of the one before; 0 leaves the noise as it is.
        factor: r, how many times smaller a level is than the one before.
        vary: r is drawn for each level and sample, from factor to factor + vary; the source draws from 2 to 4.
        mode: How levels are brought to size: `bilinear` as in the source, or `nearest`.

    Returns:
        out: Noise (B, C, h, w) of variance 1.
    """
    channels, *sides = noise.data.shape[1:]
    size = (sides[0], sides[1])
    added, total = [], []
    for key in row_keys(noise.keys, len(noise.data)):
        generator = ctx.generator(key)
        sum_, spread = torch.zeros(1, channels, *size), torch.ones(size)
        for level in range(1, levels + 1):
            step = factor + vary * float(torch.rand((), generator=generator)) if vary else factor
            small = coarser(size, step**level)
            sum_ += discount**level * upsampled(torch.randn(1, channels, *small, generator=generator), size, mode)
            spread = spread + discount ** (2 * level) * variance(small, size, mode)
            if 1 in small:
                break
        added.append(sum_)
        total.append(spread.sqrt())
    device = noise.data.device
    return Noise((noise.data + torch.cat(added).to(device)) / torch.stack(total)[:, None].to(device), noise.keys)
