"""`data.batch`: what this step sees."""

from __future__ import annotations

from typing import NamedTuple

from hcpgraph import Context, node

from ..types import Captions, CropInfo, Images, LossMask
from .loader import Batch, Loader


class Pictures(NamedTuple):
    """The batch of a step without its conditions."""

    images: Images
    captions: Captions
    masks: LossMask
    sizes: CropInfo


@node("data.batch", effects="step")
def batch(ctx: Context, loader: Loader) -> Pictures:
    """The pictures and captions of this training step.

    Args:
        loader: Where batches come from.

    Returns:
        images: Pictures (B, 3, H, W), float32 in [0, 1], with their sample keys.
        captions: Their captions, with the same keys.
        masks: Loss weights (B, 1, H, W): those of data.masks, 0 where a picture was padded, else 1.
        sizes: Sizes before and after cropping (B, 6), which SDXL is conditioned on.

    Raises:
        GraphError: E_PICTURE, a picture cannot be read.
    """
    return Pictures(*read_batch(ctx, loader)[:4])


def read_batch(ctx: Context, loader: Loader) -> Batch:
    known = set(loader.bad)
    read = loader.batch(ctx.step, ctx.device)
    for name, why in loader.bad.items():
        if name not in known:
            ctx.log(f"'{name}' was left out: {why}", "warning")
    return read
