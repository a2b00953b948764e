"""`diffusion.timesteps`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, node

from ..noise.draws import row_keys
from ..types import Latents, Process, Timesteps


@node("diffusion.timesteps", effects="random")
def draw_timesteps(
    ctx: Context,
    latents: Latents,
    schedule: Process,
    *,
    low: Annotated[int, Field(ge=0)] = 0,
    high: Annotated[int, Field(ge=1)] | None = None,
) -> Timesteps:
    """Draw one timestep a sample, uniformly.

    Args:
        latents: The samples (B, …); only their number and keys are read.
        schedule: The forward process of T timesteps.
        low: Smallest timestep.
        high: Timesteps stay below it; none given: T.

    Returns:
        out: Timesteps (B,), int64 in [low, high).

    Raises:
        GraphError: E_RANGE, nothing lies between the two.
    """
    count = schedule.num_train_timesteps
    end = count if high is None else min(high, count)
    if low >= end:
        raise GraphError("E_RANGE", f"no timestep lies between {low} and {end}", hint="lower low or raise high")
    uniform = ctx.uniform(row_keys(latents.keys, len(latents.data)))
    return Timesteps((low + uniform * (end - low)).long().to(latents.data.device), latents.keys)
