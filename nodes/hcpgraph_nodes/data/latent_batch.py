"""`data.latent_batch`: what this step sees, encoded."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from hcpgraph import Context, Facts, Port, node

from ..noise.draws import normal_rows
from ..types import Captions, CropInfo, Latents, LossMask
from .latent_loader import LatentLoader


class LatentBatch(NamedTuple):
    """The batch of a step without its conditions."""

    latents: Annotated[Latents, Facts(latents=Port("loader"))]
    captions: Captions
    masks: LossMask
    sizes: CropInfo


@node("data.latent_batch", effects=("step", "random"))
def latent_batch(ctx: Context, loader: LatentLoader, *, mode: Literal["sample", "mean"] = "sample") -> LatentBatch:
    """The latents and captions of this training step.

    Of every picture the VAE's posterior is kept. It is drawn from anew for every sample key, so that a picture gives
    other latents in the next epoch, and the same ones in a resumed run; with equal streams they are those that
    diffusion.encode_image draws.

    Args:
        loader: Where batches come from.
        mode: A sample of the VAE's posterior, drawn for each picture on its own; or its mean.

    Returns:
        latents: Normalised latents (B, C, h, w) with their sample keys.
        captions: Their captions, with the same keys.
        masks: Loss weights (B, 1, h, w): those of data.masks and 0 where a picture was padded, averaged over the pixels
            of a latent, else 1.
        sizes: Sizes before and after cropping (B, 6), which SDXL is conditioned on.
    """
    posterior, captions, masks, sizes, _ = loader.batch(ctx.step, ctx.device)
    latents = posterior.mean
    if mode == "sample":
        latents = latents + posterior.deviation * normal_rows(ctx, latents.shape, posterior.keys)
    return LatentBatch(Latents(loader.data.statistics.normalise(latents), posterior.keys), captions, masks, sizes)
