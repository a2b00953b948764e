"""`vae.encode`: the encoder's posterior, as a loss needs it."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, Port, node

from ..families.registry import family
from ..model.handles import Vae
from ..types import Images, Posterior


@node("vae.encode")
def encode(vae: Vae, images: Images) -> Annotated[Posterior, Facts(latents=Port("vae"))]:
    """Encode pictures into the distribution of their latents, with gradients of weights and pictures.

    Args:
        vae: The autoencoder.
        images: Pictures (B, 3, H, W) in [0, 1].

    Returns:
        out: Mean and standard deviation (B, C, h, w), not scaled.
    """
    mean, deviation = family(vae.family).encode_image(vae, images.data)
    return Posterior(mean, deviation, images.keys)
