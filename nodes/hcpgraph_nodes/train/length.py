"""How many optimizer steps a training loop does: as many as are written, or so many epochs."""

from __future__ import annotations

import math

from hcpgraph import Context, GraphError
from hcpgraph_nodes.types import Batches


def length(ctx: Context, steps: int | None, epochs: float | None, loader: Batches | None, accumulate: int) -> int:
    """The steps of a loop; where they follow from epochs, they are told in the log.

    Args:
        epochs: How often every batch of `loader` is seen.
        accumulate: Batches a step.

    Raises:
        GraphError: E_SETTING, both are given or none, or epochs without a loader.
    """
    if (steps is None) == (epochs is None):
        both = "both are set" if steps is not None else "none of the two is set"
        message = f"the length is said by steps or by epochs, and {both}"
        raise GraphError("E_SETTING", message, port="epochs", hint="leave one of them empty (null)")
    if epochs is None:
        assert steps is not None
        return steps
    if loader is None:
        hint = "wire the loader whose batches the region reads"
        raise GraphError("E_SETTING", "epochs are counted in batches, and no loader is wired", port="loader", hint=hint)
    batches = loader.batches_per_epoch
    found = steps_of(epochs, batches, accumulate)
    each = f", {accumulate} batches a step" if accumulate > 1 else ""
    ctx.log(f"{epochs:g} epochs of {batches} batches{each}: {found} steps")
    return found


def steps_of(epochs: float, batches: int, accumulate: int) -> int:
    """Steps of so many epochs: ceil(epochs · batches / accumulate)."""
    return math.ceil(round(epochs * batches / accumulate, 9))
