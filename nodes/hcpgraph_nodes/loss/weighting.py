"""`loss.weighting`."""

from __future__ import annotations

from math import pi
from typing import Annotated, Literal

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..families.auto import settled
from ..process.refusals import no_weighting
from ..types import Process, SampleLoss, Timesteps, wide


@node("loss.weighting", title="Weighting of a flow")
def weighting(
    loss: SampleLoss,
    timesteps: Timesteps,
    process: Process,
    *,
    scheme: Annotated[
        Literal["auto", "none", "sigma_sqrt", "cosmap", "sigma_squared"], Hint(primary=True)
    ] = "sigma_sqrt",
) -> SampleLoss:
    """Weight losses of a rectified flow by their share of noise σ, as for SD 3.

    Args:
        loss: Losses (B, …).
        timesteps: Timesteps (B,).
        process: A rectified flow; with `none` any.
        scheme: `sigma_sqrt`, σ^−2, and `cosmap`, 2 / (π (1 − 2σ + 2σ²)), as diffusers calls them (Esser et al. 2024,
            https://arxiv.org/abs/2403.03206); `sigma_squared`, σ², compares pictures x_0 instead of velocities, as
            diffusers' scripts for SD 3 do. Below 1/T, the lowest level of their table, σ counts as 1/T. `none`
            leaves the losses; auto: as the scripts for the model's family do.

    Returns:
        out: The weighted losses (B, …).

    Raises:
        GraphError: E_SCHEDULE, the process is no rectified flow; E_TIMESTEPS; E_AUTO, nothing says what auto means.
    """
    if settled(scheme, "scheme") == "none":
        return loss
    if process.kind != "flow":
        raise GraphError("E_SCHEDULE", no_weighting(process.kind), port="process", hint="use loss.min_snr")
    sigma = process.sigma(timesteps.data).clamp(min=1 / process.num_train_timesteps)
    if scheme == "sigma_sqrt":
        weight = sigma**-2.0
    elif scheme == "cosmap":
        weight = 2 / (pi * (1 - 2 * sigma + 2 * sigma**2))
    else:
        weight = sigma**2
    return SampleLoss(loss.data * wide(weight, loss.data))
