"""`vae.encode` and `vae.sample`: the encoder's posterior, as a loss needs it."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, Facts, Port, node

from ..families.registry import family
from ..model.handles import Vae
from ..noise.draws import normal_rows
from ..types import Images, Latents, Posterior


@node("vae.encode")
def encode(vae: Vae, images: Images) -> Annotated[Posterior, Facts(family=Port("vae"))]:
    """Encode pictures into the distribution of their latents, with gradients of weights and pictures.

    Args:
        vae: The autoencoder.
        images: Pictures (B, 3, H, W) in [0, 1].

    Returns:
        out: Mean and standard deviation (B, C, h, w), not scaled.
    """
    mean, deviation = family(vae.family).encode_image(vae, images.data)
    return Posterior(mean, deviation, images.keys)


@node("vae.sample", effects="random")
def sample(ctx: Context, vae: Vae, posterior: Posterior) -> Annotated[Latents, Facts(family=Port("vae"))]:
    """Draw latents from a posterior, each picture with its own numbers.

    Args:
        vae: The autoencoder, which says how latents are scaled.
        posterior: Mean and standard deviation of the latents.

    Returns:
        out: (mean + deviation · draw), multiplied by the VAE's scaling factor (B, C, h, w).
    """
    drawn = posterior.mean + posterior.deviation * normal_rows(ctx, posterior.mean.shape, posterior.keys)
    return Latents(drawn * family(vae.family).scaling_factor(vae), posterior.keys)
