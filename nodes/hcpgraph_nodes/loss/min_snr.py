"""`loss.min_snr`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Slider

from ..types import Process, SampleLoss, Timesteps, wide


@node("loss.min_snr")
def min_snr(
    loss: SampleLoss,
    timesteps: Timesteps,
    schedule: Process,
    *,
    gamma: Annotated[float, Field(gt=0, le=100), Slider(step=0.5)] = 5.0,
) -> SampleLoss:
    """Weight losses by their timestep so that nearly clean samples do not dominate.

    With snr = α² / σ² the weight is min(snr, gamma) for a model that predicts the sample. For others it is divided by
    what their squared error is for one of the sample: snr for epsilon, snr + 1 for v_prediction, 1 / t² for a flow,
    snr + 1 / σ_data² for EDM. Source: Hang et al. 2023, https://arxiv.org/abs/2303.09556 (section 3.4).

    Args:
        loss: Losses (B, …).
        timesteps: Timesteps (B,).
        schedule: The forward process and what the model predicts.
        gamma: Highest signal-to-noise ratio that counts; the paper uses 5.

    Returns:
        out: The weighted losses (B, …).
    """
    snr = schedule.snr(timesteps.data)
    if schedule.prediction_type == "epsilon":
        weight = (gamma / snr).clamp(max=1)
    else:
        weight = snr.clamp(max=gamma) / schedule.emphasis(timesteps.data)
    return SampleLoss(loss.data * wide(weight, loss.data))
