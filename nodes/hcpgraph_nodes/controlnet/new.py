"""`controlnet.new`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, Facts, Port, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed

from ..model.handles import ControlNet, Denoiser, named
from ..model.root import Placement, Root
from .network import config_of, made_of

Channels = Annotated[int, Field(ge=1, le=16384)]


@node("controlnet.new", effects=("resource", "random"), packages=("diffusers",), title="New ControlNet")
def new_controlnet(
    ctx: Context,
    denoiser: Denoiser,
    *,
    condition_channels: Annotated[int, Field(ge=1, le=64), Hint(advanced=True)] = 3,
    channels: Annotated[list[Channels], Field(min_length=1, max_length=8), Hint(advanced=True)] = [16, 32, 96, 256],  # noqa: B006
    checkpointing: Annotated[bool, Hint(advanced=True)] = False,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Annotated[ControlNet, Facts(family=Port("denoiser"))]:
    """Make an untrained ControlNet for a denoiser: a copy of its encoder that leads it by pictures.

    At the start it changes nothing, bit for bit: the convolutions to the denoiser are zero, weights and biases. Train
    it with model.trainable; the denoiser stays as it is. Equal seeds give equal weights.

    Args:
        denoiser: The model it is for. Its own weights are copied when the ControlNet is first used, or now if they are
            trained; plugins of the wire are not part of the copy.
        condition_channels: Channels of the conditions; 3 for pictures.
        channels: Channels of the small network that reads conditions, one number a resolution. Each further one halves
            the sides, which must bring a picture to the size of its latents: four for a VAE that makes one latent of 8
            pixels, as all released models do.
        checkpointing: Recompute its activations in backward: less memory, about a third more time, the same gradients.
        seed: Seed of the weights that are not copied.

    Returns:
        out: The ControlNet.

    Raises:
        GraphError: E_FAMILY, the denoiser is no UNet that a ControlNet can be made of.
    """
    config = config_of(denoiser, channels, condition_channels)
    (own,) = ctx.row_seeds(seed)
    root = Root(partial(made_of, denoiser, config, own), Placement(ctx.device, ctx.dtype, checkpointing))
    if denoiser.root.trainable:
        _ = root.module
    return named(ctx, (ControlNet(root=root, family=denoiser.family, config=config),))[0]
