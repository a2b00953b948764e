"""`diffusion.predict` and `diffusion.guide`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Slider

from ..families.registry import family
from ..model.handles import Denoiser
from ..types import Conditioning, NoisyLatents, Prediction, Timesteps


@node("diffusion.predict", packages=("diffusers",))
def predict(denoiser: Denoiser, noisy: NoisyLatents, timesteps: Timesteps, conditioning: Conditioning) -> Prediction:
    """Run the denoiser once, with the plugins of its wire.

    Args:
        denoiser: The model.
        noisy: Latents at the noise level of their timesteps (B, C, h, w).
        timesteps: Timesteps (B,).
        conditioning: Text embeddings of B samples, or of one for all.

    Returns:
        out: The prediction (B, C, h, w) and what it means.
    """
    rows = conditioning.rows(len(noisy.data))
    data = family(denoiser.family).predict(denoiser, noisy.data, timesteps.data, rows)
    return Prediction(data, denoiser.prediction_type)


@node("diffusion.guide")
def guide(
    positive: Prediction,
    negative: Prediction,
    *,
    scale: Annotated[float, Field(ge=0, le=100), Slider(step=0.5)] = 3.0,
) -> Prediction:
    """Classifier-free guidance: away from the negative, towards the positive prediction.

    Args:
        positive: Prediction with the wanted condition.
        negative: Prediction with the unwanted or empty condition.
        scale: 1 gives the positive prediction. Source: Ho & Salimans 2022, https://arxiv.org/abs/2207.12598

    Returns:
        out: negative + scale · (positive − negative).
    """
    return Prediction(negative.data + scale * (positive.data - negative.data), positive.kind)
