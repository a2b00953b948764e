"""`data.caption_batch`: the captions of this step."""

from __future__ import annotations

from hcpgraph import Context, node

from ..types import Captions
from .loader import Loader


@node("data.caption_batch", effects="step")
def caption_batch(ctx: Context, loader: Loader) -> Captions:
    """The captions of this training step; no picture is read, so that a data set of texts alone will do.

    Args:
        loader: Where batches come from.

    Returns:
        out: B captions with their sample keys.
    """
    return loader.captions(ctx.step)
