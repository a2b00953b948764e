"""`vae.reconstruct`."""

from __future__ import annotations

from hcpgraph import node

from ..families.registry import family
from ..model.handles import Vae
from ..types import Latents, Reconstruction


@node("vae.reconstruct")
def reconstruct(vae: Vae, latents: Latents) -> Reconstruction:
    """Decode latents for a loss: a whole batch at once, not cut to [0, 1], with gradients of weights and latents.

    Args:
        vae: The autoencoder.
        latents: Scaled latents (B, C, h, w).

    Returns:
        out: Pictures (B, 3, H, W); image.decode gives them cut, for looking at.
    """
    return Reconstruction(family(vae.family).reconstruct(vae, latents.data), latents.keys)
