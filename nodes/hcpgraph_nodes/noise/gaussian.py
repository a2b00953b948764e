"""`noise.gaussian`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Seed

from ..types import Latents, Noise
from .draws import draw, normal_rows


@node("noise.gaussian", effects="random", gradient=False)
def gaussian_noise(
    ctx: Context, latents: Latents, *, seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0
) -> Noise:
    """Draw Gaussian noise of the shape of the latents.

    For samples of a data set the draw depends on the run's seed, this node, the position of the enclosing regions and
    the sample; neither on the batch nor on its order. For latents that came from no data set (sampling), row i is
    drawn with the seed `seed + i`, as diffusers does with a list of generators; in the step of a training loop and in
    flow.repeat with a seed that is made of the pass, `seed` and i.

    Args:
        latents: Latents (B, C, h, w); only their shape and sample keys are read.
        seed: Seed for latents that came from no data set.
    """
    shape = latents.data.shape
    if latents.keys is not None:
        return Noise(normal_rows(ctx, shape, latents.keys), latents.keys)
    return Noise(draw(ctx.generators(seed, shape[0]), shape).to(latents.data.device))
