"""`timesteps.record`."""

from __future__ import annotations

import torch

from hcpgraph import GraphError, node

from ..types import Process, SampleLoss, Timesteps
from .losses import LossHistory, shares_of


@node("timesteps.record", title="Record losses of timesteps")
def record(history: LossHistory, timesteps: Timesteps, loss: SampleLoss, schedule: Process) -> LossHistory:
    """Add the losses of a step to a history, each to the band of its timestep, in the place of the oldest one.

    Wire the loss before weights: of every sample its mean counts, without gradients. What is not finite is left out.
    With train.state the history goes from step to step and is in the checkpoints.

    Args:
        history: The history so far, from train.state.
        timesteps: Timesteps of the samples (B,).
        loss: Their losses (B, …).
        schedule: The forward process.

    Returns:
        out: The history with these losses, for `next` of train.state.

    Raises:
        GraphError: E_BATCH, losses of other samples.
    """
    if len(loss.data) != len(timesteps.data):
        message = f"{len(loss.data)} losses for {len(timesteps.data)} timesteps"
        raise GraphError("E_BATCH", message, port="loss", hint="wire the loss of the same batch")
    number, length = history.data.shape
    device = loss.data.device
    data, count = history.data.to(device), history.count.to(device)
    means = loss.data.detach().float().flatten(1).mean(1) if loss.data.dim() > 1 else loss.data.detach().float()
    finite = means.isfinite()
    band = (shares_of(schedule, timesteps.data) * number).long().clamp(0, number - 1).to(device)
    same = (band[:, None] == band) & finite
    earlier = same.tril(-1).sum(1)
    kept = finite & (earlier >= same.sum(1) - length)
    place = torch.where(kept, band * length + (count[band] + earlier) % length, number * length)
    grown = torch.cat([data.flatten(), data.new_zeros(1)]).scatter(0, place, means)
    return LossHistory(grown[:-1].view(number, length), count.scatter_add(0, band, finite.long()))
