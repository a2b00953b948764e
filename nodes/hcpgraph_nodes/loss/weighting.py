"""`loss.weighting`."""

from __future__ import annotations

from math import pi
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint, Slider

from ..families.auto import settled
from ..process.refusals import no_weighting
from ..types import Process, SampleLoss, Timesteps, wide
from .min_snr import min_snr


@node("loss.weighting", title="Loss weighting")
def weighting(
    loss: SampleLoss,
    timesteps: Timesteps,
    process: Process,
    *,
    scheme: Annotated[
        Literal["auto", "none", "min_snr", "sigma_sqrt", "cosmap", "sigma_squared"], Hint(primary=True)
    ] = "sigma_sqrt",
    gamma: Annotated[float, Field(gt=0, le=100), Slider(step=0.5)] = 5.0,
) -> SampleLoss:
    """Weight losses by their timestep, as models of a family are trained.

    Args:
        loss: Losses (B, …).
        timesteps: Timesteps (B,).
        process: The forward process and what the model predicts.
        scheme: `min_snr` is what loss.min_snr does. The others are of rectified flows, by their share of noise σ as for
            SD 3: `sigma_sqrt`, σ^−2, and `cosmap`, 2 / (π (1 − 2σ + 2σ²)), as diffusers calls them (Esser et al. 2024,
            https://arxiv.org/abs/2403.03206); `sigma_squared`, σ², compares pictures x_0 instead of velocities, as
            diffusers' scripts for SD 3 do. Below 1/T, the lowest level of their table, σ counts as 1/T. `none`
            leaves the losses; auto: what suits the model's family.
        gamma: Of `min_snr`: highest signal-to-noise ratio that counts; the others do not read it.

    Returns:
        out: The weighted losses (B, …).

    Raises:
        GraphError: E_SCHEDULE, the process is no rectified flow and the scheme is of one; E_TIMESTEPS; E_AUTO, nothing
            says what auto means.
    """
    if settled(scheme, "scheme") == "none":
        return loss
    if scheme == "min_snr":
        return min_snr(loss, timesteps, process, gamma=gamma)
    if process.kind != "flow":
        raise GraphError("E_SCHEDULE", no_weighting(process.kind), port="process", hint="take min_snr")
    sigma = process.sigma(timesteps.data).clamp(min=1 / process.num_train_timesteps)
    if scheme == "sigma_sqrt":
        weight = sigma**-2.0
    elif scheme == "cosmap":
        weight = 2 / (pi * (1 - 2 * sigma + 2 * sigma**2))
    else:
        weight = sigma**2
    return SampleLoss(loss.data * wide(weight, loss.data))
