"""`data.latent_batch`: what this step sees, encoded."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from hcpgraph import Context, Facts, Port, node

from ..types import Captions, CropInfo, Latents, LossMask
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
