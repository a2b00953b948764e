"""`timesteps.importance`."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint

from ..types import Latents, LossMask, Process, Timesteps
from .losses import LossHistory, times_at
from .shares import Same, Strata, uniform_shares


class Drawn(NamedTuple):
    """Timesteps, and what their losses are multiplied with so that their mean is that of even draws."""

    timesteps: Timesteps
    weights: LossMask


@node("timesteps.importance", effects="random", gradient=False, title="Timesteps by importance")
def importance_timesteps(
    ctx: Context,
    latents: Latents,
    schedule: Process,
    history: LossHistory | None = None,
    *,
    bands: Annotated[list[Annotated[float, Field(ge=0)]], Field(max_length=10_000)] = [],  # noqa: B006
    uniform: Annotated[float, Field(ge=0, le=1), Hint(advanced=True)] = 0.001,
    same: Same = False,
    strata: Strata = 0,
) -> Drawn:
    """Draw timesteps more often where it matters: by weights of one's own, or where losses are large.

    With a history a band is drawn in proportion to √E[L²] of its last losses, once all bands have been met often
    enough, and with a small chance evenly (Nichol & Dhariwal 2021, https://arxiv.org/abs/2102.09672, equation 18, and
    their LossSecondMomentResampler). Within a band draws are even. The weights are 1 / (n p), for n bands of
    probabilities p: losses that go through loss.mask with them have the mean of even draws, with less variance. Without
    weights and history draws are even, and with strata those of variational diffusion models.

    Args:
        latents: The samples (B, …); only their number and keys are read.
        schedule: The forward process.
        history: Losses by band, from train.state.
        bands: Weights of bands of equal width, from the picture to the noise, instead of a history; a band of weight 0
            is never drawn, and its losses are not in the mean.
        uniform: With a history, the share of draws that are even, so that no band is forgotten.
        same: One draw for all samples of a pass instead of one each.
        strata: Samples in a row whose draws lie evenly, such as the size of the whole batch; 0: every sample draws by
            itself. Not read with one draw for all.

    Returns:
        timesteps: Timesteps (B,): of a table int64, of a flow shares of noise, of EDM noise levels.
        weights: Factors of the losses (B, 1, 1, 1), for loss.mask.

    Raises:
        GraphError: E_SETTING, both a history and weights, or weights that are all 0.
    """
    device = latents.data.device
    if bands and (history is not None or not any(bands)):
        message = "both a history and bands say what matters" if history is not None else "all bands have the weight 0"
        raise GraphError("E_SETTING", message, port="bands", hint="leave bands empty, or write weights above 0")
    if history is not None:
        chances = _by_losses(history, uniform).to(device)
    else:
        chances = torch.tensor(bands or [1.0], device=device)
    chances = chances / chances.sum()
    ends = chances.cumsum(0)
    drawn = uniform_shares(ctx, latents, same, strata).float().to(device) * ends[-1]
    band = torch.searchsorted(ends, drawn, right=True).clamp(max=len(ends) - 1)
    within = ((drawn - (ends - chances)[band]) / chances[band]).clamp(0, 1 - 1e-6)
    times = times_at(schedule, (band + within) / len(ends))
    weights = 1 / (len(ends) * chances[band])
    return Drawn(Timesteps(times, latents.keys), LossMask(weights.view(-1, 1, 1, 1), latents.keys))


def _by_losses(history: LossHistory, uniform: float) -> Tensor:
    """Probabilities (n,), which are even until every band has as many losses as it keeps."""
    size = history.data.square().mean(1).sqrt()
    shares = (1 - uniform) * size / size.sum().clamp(min=1e-30) + uniform / len(size)
    return torch.where((history.count >= history.data.shape[1]).all(), shares, torch.ones_like(shares))
