"""`data.latent_batch` and `data.latent_conditions`: what this step sees, encoded."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from hcpgraph import Context, Facts, GraphError, Port, node

from ..types import Captions, CropInfo, Images, Latents, LossMask
from .latent_loader import LatentLoader


class LatentBatch(NamedTuple):
    """The batch of a step without its conditions."""

    latents: Annotated[Latents, Facts(family=Port("loader"))]
    captions: Captions
    masks: LossMask
    sizes: CropInfo


@node("data.latent_batch", effects="step")
def latent_batch(ctx: Context, loader: LatentLoader) -> LatentBatch:
    """The latents and captions of this training step.

    Args:
        loader: Where batches come from.

    Returns:
        latents: Scaled latents (B, C, h, w) with their sample keys.
        captions: Their captions, with the same keys.
        masks: Loss weights (B, 1, h, w): those of data.masks and 0 where a picture was padded, averaged over the pixels
            of a latent, else 1.
        sizes: Sizes before and after cropping (B, 6), which SDXL is conditioned on.
    """
    return LatentBatch(*loader.batch(ctx.step, ctx.device)[:4])


@node("data.latent_conditions", effects="step")
def latent_conditions(ctx: Context, loader: LatentLoader) -> Images:
    """The second pictures of this training step, such as the edge maps of a ControlNet.

    Not encoded, but scaled, cropped and mirrored as the pictures were before they went through the VAE; wired to the
    loader of data.latent_batch, they share its sample keys, and the batch is read once.

    Args:
        loader: Where batches come from.

    Returns:
        out: Conditions (B, 3, H, W), float32 in [0, 1].

    Raises:
        GraphError: E_DATA, the data set has none.
    """
    conditions = loader.batch(ctx.step, ctx.device).conditions
    if conditions is None:
        raise GraphError(
            "E_DATA",
            f"the data set '{loader.data.data.dataset.name}' has no conditions",
            port="loader",
            hint="put data.conditions before its buckets",
        )
    return conditions
