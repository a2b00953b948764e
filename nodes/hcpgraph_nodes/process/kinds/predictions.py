"""Predictions of one process as combinations a x_0 + b ε, and how one becomes another.

x_t = α x_0 + σ ε and a prediction p = a x_0 + b ε are two equations for x_0 and ε; they have a solution where
D = a σ − b α is not 0: x_0 = (σ p − b x_t) / D, ε = (a x_t − α p) / D. Another prediction p' = a' x_0 + b' ε is then
((a' σ − b' α) p + (a b' − a' b) x_t) / D.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hcpgraph import GraphError

from ...types import Process, wide
from .edm import Edm

KINDS = ("epsilon", "v_prediction", "sample", "flow", "edm")
Pair = tuple[Tensor, Tensor]
REASONS = {
    "epsilon": "nothing is left of the picture there (α = 0), and the noise alone does not say what it was",
    "sample": "there is no noise there (σ = 0), and the picture alone does not say which would be added",
}
"""Kind that a prediction is of -> why it says no more at some process times."""


def combination(process: Process, kind: str, t: Tensor) -> tuple[Tensor, Tensor]:
    """a and b (B,) of a prediction a x_0 + b ε at process times (B,).

    Raises:
        GraphError: E_PREDICTION, the process has no such prediction.
    """
    alpha, sigma = process.coefficients(t)
    one, zero = torch.ones_like(sigma), torch.zeros_like(sigma)
    if kind == "epsilon":
        return zero, one
    if kind == "sample":
        return one, zero
    if kind == "v_prediction":
        return -sigma, alpha
    if kind == "flow":
        return -one, one
    if isinstance(process, Edm):
        return process.combination(t)
    raise GraphError(
        "E_PREDICTION",
        f"a process of the kind {process.kind} has no prediction of the kind {kind}",
        hint="edm is what a network of process.edm predicts",
    )


def prediction_of(process: Process, kind: str, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What a network that knew x_0 and the noise (B, C, h, w) would predict at process times (B,)."""
    if kind == "epsilon":
        return noise
    if kind == "sample":
        return x_0
    if kind == "flow":
        return noise - x_0
    if kind == "v_prediction":
        signal, spread = (wide(each, x_0) for each in process.coefficients(t))
        return signal * noise - spread * x_0
    a, b = (wide(each, x_0) for each in combination(process, kind, t))
    return a * x_0 + b * noise


def converted(process: Process, kind: str, data: Tensor, noisy: Tensor, t: Tensor, to: str) -> Tensor:
    """A prediction (B, C, h, w) of x_t at process times (B,) as one of another kind.

    Raises:
        GraphError: E_PREDICTION, the process has no such prediction; E_SCHEDULE, at one of the times the prediction
            does not say what is asked for.
    """
    if kind == to:
        return data
    return combined(process, kind, data, noisy, t, *combination(process, to, t), to)


def moved(process: Process, kind: str, data: Tensor, noisy: Tensor, t: Tensor, coefficients: Pair) -> Tensor:
    """The latents a x_0 + b ε (B, C, h, w) with coefficients (B,) of one's own, of what a prediction says at t (B,).

    Raises:
        GraphError: E_PREDICTION, the process has no such prediction; E_SCHEDULE, at one of the times the prediction
            does not say both the picture and the noise.
    """
    return combined(process, kind, data, noisy, t, *coefficients, "sample" if kind == "epsilon" else "epsilon")


def combined(
    process: Process, kind: str, data: Tensor, noisy: Tensor, t: Tensor, a: Tensor, b: Tensor, to: str
) -> Tensor:
    """a x_0 + b ε (B, C, h, w) of a prediction of x_t; `to` is what is asked for, in words."""
    own_a, own_b = combination(process, kind, t)
    alpha, sigma = process.coefficients(t)
    divisor = own_a * sigma - own_b * alpha
    if (kind == "epsilon" and (process.zero_snr or process.kind == "flow")) or kind == "sample":
        _refuse(kind, to, t, divisor)
    own, other = (a * sigma - b * alpha) / divisor, (own_a * b - a * own_b) / divisor
    return wide(own, data) * data + wide(other, noisy) * noisy


def _refuse(kind: str, to: str, t: Tensor, divisor: Tensor) -> None:
    """Raises E_SCHEDULE if a divisor (B,) is 0, which waits for the device; other predictions have none."""
    wrong = divisor == 0
    if bool(wrong.any()):
        raise GraphError(
            "E_SCHEDULE",
            f"a prediction of the kind {kind} cannot become {to} at timestep {t[wrong][0].item():g}: {REASONS[kind]}",
            port="prediction",
            hint="convert a v_prediction or a flow, or draw timesteps that stay away from this end",
        )
