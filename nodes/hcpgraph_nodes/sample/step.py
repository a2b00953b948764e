"""`sample.step`: from one noise level to another, as a sampler goes, drawn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.widgets import Slider

from ..process.kinds.predictions import moved
from ..types import Noise, NoisyLatents, Prediction, Process, Timesteps, wide

TINY = 1e-37
"""Stands in for 0 where nothing is left of the picture or of the noise."""


@node("sample.step", title="Sampling step")
def step(
    prediction: Prediction,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    to: Timesteps,
    process: Process,
    noise: Noise | None = None,
    *,
    eta: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.0,
) -> Annotated[NoisyLatents, Facts(latents=Port("noisy"))]:
    """One step of a sampler: latents at their timesteps become those at other timesteps, as a prediction says.

    With x_t = α_t x_0 + σ_t ε and what the prediction says of x_0 and ε: α_s x_0 + √(σ_s² − v) ε + √v noise, where
    v = η² σ_s² / σ_t² (σ_t² − (α_t / α_s)² σ_s²). That is DDIM (Song et al. 2020, https://arxiv.org/abs/2010.02502,
    equation 12), of a flow and of EDM Euler's step, and with η = 1 the ancestral one. Gradients flow through the
    prediction and the latents. Towards more noise it is DDIM's inversion, and adds none.

    Args:
        prediction: What the model says of the latents (B, C, h, w), of any kind.
        noisy: The latents x_t (B, C, h, w).
        timesteps: Their timesteps t (B,).
        to: The timesteps s (B,) to go to, such as those of timesteps.next.
        process: The forward process.
        noise: Fresh noise (B, C, h, w); eta above 0 needs it.
        eta: η, the share of fresh noise: 0 goes straight, 1 as the reverse of the forward process.

    Returns:
        out: The latents x_s (B, C, h, w), with the sample keys of those that came in.

    Raises:
        GraphError: E_BATCH, timesteps of another number of samples; E_NO_NOISE, eta without noise; E_SCHEDULE, the
            prediction says nothing of the picture or of the noise at one of the timesteps; E_PREDICTION; E_TIMESTEPS.
    """
    for port, times in (("timesteps", timesteps), ("to", to)):
        if len(times.data) != len(noisy.data):
            message = f"{len(times.data)} timesteps for {len(noisy.data)} samples"
            raise GraphError("E_BATCH", message, port=port, hint="wire timesteps of the same samples")
    if eta and noise is None:
        hint = "wire noise.gaussian to it, or set eta to 0"
        raise GraphError("E_NO_NOISE", f"eta is {eta:g}, and no fresh noise is wired", port="noise", hint=hint)
    signal, spread = process.coefficients(to.data)
    added = None
    if eta and noise is not None:
        alpha, sigma = process.coefficients(timesteps.data)
        left = (sigma.square() - (alpha * spread / signal.clamp(min=TINY)).square()).clamp(min=0)
        added = (eta * spread).square() * left / sigma.square().clamp(min=TINY)
        spread = (spread.square() - added).clamp(min=0).sqrt()
    data = moved(process, prediction.kind, prediction.data, noisy.data, timesteps.data, (signal, spread))
    if added is not None and noise is not None:
        data = data + wide(added.sqrt(), data) * noise.data
    return NoisyLatents(data, noisy.keys)
