"""`timesteps.grid`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Slider

from ..sample.grid import Spacing, grid, size_of
from ..types import Latents, Process, Timesteps
from .shares import Same, Strata, uniform_shares


@node("timesteps.grid", effects="random", packages=("diffusers",), title="Timesteps on a grid")
def grid_timesteps(
    ctx: Context,
    latents: Latents,
    schedule: Process,
    *,
    steps: Annotated[int, Field(ge=1, le=1000), Slider(step=1, primary=True)] = 50,
    spacing: Spacing = "auto",
    skip_last: Annotated[int, Field(ge=0, le=999)] = 0,
    same: Same = False,
    strata: Strata = 0,
) -> Timesteps:
    """Draw one of the points that a sampler visits, for each sample: those of DDIM, of a flow and of EDM Euler's.

    Distillation trains there: with 50 steps, trailing, these are the timesteps 999, 979, … 19 of LCM (Luo et al. 2023,
    https://arxiv.org/abs/2310.04378), and timesteps.next gives where a step of the sampler leads.

    Args:
        latents: The samples (B, …); only their number, size and keys are read.
        schedule: The forward process.
        steps: Points of the grid, without the end.
        spacing: How a table is divided, as diffusers calls it; auto: as the model's configuration says. Flows and EDM
            have their own alone, with the flow's shift.
        skip_last: How many of the points with the least noise are never drawn: 1 where the next point has to be one
            that a network can be run at.
        same: One draw for all samples of a pass instead of one each, so that partial sampling ends for all at once.
        strata: Samples in a row whose draws lie evenly, such as the size of the whole batch: less variance of the loss.
            0: every sample draws by itself. Not read with one draw for all.

    Returns:
        out: Timesteps (B,).

    Raises:
        GraphError: E_RANGE, no point is left to be drawn; E_SETTING, the process has not so many points, or no such
            spacing.
    """
    times = grid(schedule, steps, spacing, size_of(latents.data.shape), latents.data.device).times
    count = len(times) - skip_last
    if count < 1:
        message = f"a grid of {len(times)} points, and {skip_last} of them are never drawn"
        raise GraphError("E_RANGE", message, port="skip_last", hint="lower skip_last or raise steps")
    places = (uniform_shares(ctx, latents, same, strata) * count).long().clamp(max=count - 1)
    return Timesteps(times[places.to(times.device)], latents.keys)
