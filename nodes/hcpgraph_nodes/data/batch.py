"""`data.batch` and its kin: what this step sees."""

from __future__ import annotations

from typing import NamedTuple

from hcpgraph import Context, GraphError, node

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
    return Pictures(*_read(ctx, loader)[:4])


@node("data.batch_conditions", effects="step")
def batch_conditions(ctx: Context, loader: Loader) -> Images:
    """The second pictures of this training step, such as the edge maps of a ControlNet.

    Scaled, cropped and mirrored as the pictures of data.batch are, which share their sample keys; wired to the same
    loader, the batch is read once.

    Args:
        loader: Where batches come from.

    Returns:
        out: Conditions (B, 3, H, W), float32 in [0, 1].

    Raises:
        GraphError: E_DATA (the data set has none), E_PICTURE.
    """
    conditions = _read(ctx, loader).conditions
    if conditions is None:
        raise GraphError(
            "E_DATA",
            f"the data set '{loader.data.dataset.name}' has no conditions",
            port="loader",
            hint="put data.conditions after its pictures",
        )
    return conditions


@node("data.caption_batch", effects="step")
def caption_batch(ctx: Context, loader: Loader) -> Captions:
    """The captions of this training step; no picture is read, so that a data set of texts alone will do.

    Args:
        loader: Where batches come from.

    Returns:
        out: B captions with their sample keys.
    """
    return loader.captions(ctx.step)


def _read(ctx: Context, loader: Loader) -> Batch:
    known = set(loader.bad)
    read = loader.batch(ctx.step, ctx.device)
    for name, why in loader.bad.items():
        if name not in known:
            ctx.log(f"'{name}' was left out: {why}", "warning")
    return read
