"""`data.batch_conditions`: the second pictures of this step."""

from __future__ import annotations

from hcpgraph import Context, GraphError, node

from ..types import Images
from .batch import read_batch
from .loader import Loader


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
    conditions = read_batch(ctx, loader).conditions
    if conditions is None:
        raise GraphError(
            "E_DATA",
            f"the data set '{loader.data.dataset.name}' has no conditions",
            port="loader",
            hint="put data.conditions after its pictures",
        )
    return conditions
