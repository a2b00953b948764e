"""`diffusion.encode_image`."""

from __future__ import annotations

from typing import Annotated, Literal

from hcpgraph import Context, Facts, Port, node

from ..families.registry import family
from ..model.handles import Vae
from ..noise.draws import normal_rows
from ..types import Images, Latents


@node("diffusion.encode_image", effects="random")
def encode_image(
    ctx: Context, vae: Vae, images: Images, *, mode: Literal["sample", "mean"] = "sample"
) -> Annotated[Latents, Facts(latents=Port("vae"))]:
    """Encode pictures into normalised latents.

    Args:
        vae: The autoencoder.
        images: Pictures (B, 3, H, W) in [0, 1].
        mode: A sample of the VAE's posterior, drawn for each picture on its own; or its mean.

    Returns:
        out: Latents (B, C, h, w), normalised as the VAE says: by its scaling factor, its shift or its statistics.
    """
    implementation = family(vae.family)
    mean, deviation = implementation.encode_image(vae, images.data)
    if mode == "sample":
        mean = mean + deviation * normal_rows(ctx, mean.shape, images.keys)
    return Latents(implementation.statistics(vae).normalise(mean), images.keys)
