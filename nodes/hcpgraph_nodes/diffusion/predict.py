"""`diffusion.predict`."""

from __future__ import annotations

from hcpgraph import node

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
