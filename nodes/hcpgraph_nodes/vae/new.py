"""`vae.new`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, Facts, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed

from ..families.registry import family
from ..families.sizes import Sizes
from ..model.handles import Vae, named
from ..model.root import Placement

Channels = Annotated[int, Field(ge=4, le=16384, multiple_of=4)]


@node("vae.new", effects=("resource", "random"), packages=("diffusers",), title="New VAE")
def new_vae(
    ctx: Context,
    *,
    channels: Annotated[list[Channels], Field(min_length=1, max_length=8)] = [16, 32, 64, 96],  # noqa: B006
    layers: Annotated[int, Field(ge=1, le=8)] = 1,
    latent_channels: Annotated[int, Field(ge=1, le=64), Hint(primary=True)] = 8,
    resolution: Annotated[int, Field(ge=8, le=4096)] = 64,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Annotated[Vae, Facts(family="sd15", latents="sd")]:
    """Make an untrained autoencoder, an AutoencoderKL of diffusers in any size.

    Its latents are not scaled; vae.calibrate does that once it is trained. Equal settings give equal weights.

    Args:
        channels: Channels, one number a resolution; each further one halves the sides of the latents.
        layers: ResNet blocks a resolution of the encoder; the decoder has one more.
        latent_channels: Channels of the latents.
        resolution: Side of the pictures, pixels; it is written into the configuration, other sizes work too.
        seed: Seed of the initial weights.

    Returns:
        out: The autoencoder.
    """
    sizes = Sizes(
        vae_channels=tuple(channels),
        vae_layers=layers,
        latent_channels=latent_channels,
        scaling_factor=1.0,
        resolution=resolution,
    )
    vae: Vae = family("sd15").new_vae(sizes, Placement(ctx.device, ctx.dtype), ctx.row_seeds(seed)[0])
    return named(ctx, (vae,))[0]
