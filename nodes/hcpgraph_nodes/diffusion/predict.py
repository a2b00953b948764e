"""`diffusion.predict`."""

from __future__ import annotations

from hcpgraph import GraphError, node

from ..families.registry import family
from ..model.handles import Denoiser
from ..types import Conditioning, CropInfo, NoisyLatents, Prediction, Timesteps


@node("diffusion.predict", packages=("diffusers",))
def predict(
    denoiser: Denoiser,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    conditioning: Conditioning,
    sizes: CropInfo | None = None,
) -> Prediction:
    """Run the denoiser once, with the plugins of its wire.

    Args:
        denoiser: The model.
        noisy: Latents at the noise level of their timesteps (B, C, h, w).
        timesteps: Timesteps (B,).
        conditioning: What leads it: text and conditions of B samples, or of one for all.
        sizes: Sizes of the pictures before and after cropping (B, 6), which SDXL alone reads; by default those of the
            latents, not cropped.

    Returns:
        out: The prediction (B, C, h, w) and what it means.

    Raises:
        GraphError: E_BATCH, sizes or conditions of another number of pictures; E_POOLED and E_PARTS, a conditioning
            without a part that the model needs, or with one that it does not read; E_CHANNELS, other latents.
    """
    count = len(noisy.data)
    if sizes is not None and len(sizes.data) not in (1, count):
        message = f"{len(sizes.data)} rows of sizes for {count} samples"
        raise GraphError("E_BATCH", message, port="sizes", hint="wire the sizes of the same batch")
    read = None if sizes is None else sizes.data
    data = family(denoiser.family).predict(denoiser, noisy.data, timesteps.data, conditioning.rows(count), read)
    return Prediction(data, denoiser.prediction_type)
