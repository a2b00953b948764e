"""`timesteps.next`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Slider

from ..process.kinds.flow import RectifiedFlow
from ..sample.grid import Spacing, grid, size_of
from ..types import Latents, Process, Timesteps


@node("timesteps.next", packages=("diffusers",), title="Next timesteps")
def next_timesteps(
    timesteps: Timesteps,
    schedule: Process,
    latents: Latents | None = None,
    *,
    steps: Annotated[int, Field(ge=1, le=1000), Slider(step=1, primary=True)] = 50,
    spacing: Spacing = "auto",
    by: Annotated[int, Field(ge=1, le=1000)] = 1,
) -> Timesteps:
    """Where the steps of a sampler lead from timesteps: to the next point of its grid that has less noise.

    From between two points the first step ends at the lower one. After the last point comes the end: timestep 0 of a
    table, and no noise of a flow and EDM, at which sample.step may arrive; EDM's network cannot be run there.

    Args:
        timesteps: Timesteps (B,), of timesteps.grid or any others.
        schedule: The forward process.
        latents: The samples (B, C, h, w); only their size is read, and only by a flow whose shift depends on it.
        steps: Points of the grid, without the end.
        spacing: How a table is divided, as in timesteps.grid.
        by: How many steps.

    Returns:
        out: Timesteps (B,).

    Raises:
        GraphError: E_SCHEDULE, the flow's shift depends on the size of latents and none are wired; E_SETTING, the
            process has not so many points, or no such spacing.
    """
    if latents is None and isinstance(schedule, RectifiedFlow) and schedule.shift.use_dynamic_shifting:
        message = "the shift of this flow depends on the size of the latents, and none are wired"
        raise GraphError("E_SCHEDULE", message, port="latents", hint="wire the latents of the batch to it")
    size = (0, 0) if latents is None else size_of(latents.data.shape)
    times = timesteps.data.contiguous()
    points = grid(schedule, steps, spacing, size, times.device).times.flip(0).contiguous()
    place = torch.searchsorted(points, times) - by
    return Timesteps(points[place.clamp(min=0)] * (place >= 0), timesteps.keys)
