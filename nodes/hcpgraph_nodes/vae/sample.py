"""`vae.sample`: latents drawn from the encoder's posterior."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, Facts, Port, node

from ..families.registry import family
from ..model.handles import Vae
from ..noise.draws import normal_rows
from ..types import Latents, Posterior


@node("vae.sample", effects="random")
def sample(ctx: Context, vae: Vae, posterior: Posterior) -> Annotated[Latents, Facts(latents=Port("vae"))]:
    """Draw latents from a posterior, each picture with its own numbers.

    Args:
        vae: The autoencoder, which says how latents are scaled.
        posterior: Mean and standard deviation of the latents.

    Returns:
        out: mean + deviation · draw (B, C, h, w), normalised by the VAE's scaling factor, shift or statistics.
    """
    drawn = posterior.mean + posterior.deviation * normal_rows(ctx, posterior.mean.shape, posterior.keys)
    return Latents(family(vae.family).statistics(vae).normalise(drawn), posterior.keys)
