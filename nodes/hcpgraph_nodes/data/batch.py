"""`data.batch`: the batch of this step."""

from __future__ import annotations

from hcpgraph import Context, node

from .loader import Batch, Loader


@node("data.batch", effects="step")
def batch(ctx: Context, loader: Loader) -> Batch:
    """The pictures and captions of this training step.

    Args:
        loader: Where batches come from.

    Returns:
        images: Pictures (B, 3, H, W), float32 in [0, 1], with their sample keys.
        captions: Their captions, with the same keys.
    """
    return loader.batch(ctx.step, ctx.device)
