"""`loss.weighted_sum`."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, Many, node

from ..types import Loss


@node("loss.weighted_sum")
def weighted_sum(losses: Many[Loss], *, weights: Annotated[list[float], Field(max_length=64)] = []) -> Loss:  # noqa: B006
    """Add losses of the same batch, each with its weight.

    Args:
        losses: The losses, in order.
        weights: One weight a loss; empty: 1 each.

    Returns:
        out: The weighted sum; it stands for as many samples as the largest of the losses.

    Raises:
        GraphError: E_WEIGHTS_COUNT.
    """
    factors = weights or [1.0] * len(losses)
    if len(factors) != len(losses):
        raise GraphError(
            "E_WEIGHTS_COUNT",
            f"{len(factors)} weights for {len(losses)} losses",
            hint="write one weight a loss, or none for 1 each",
        )
    total = reduce(add, (factor * loss.data for factor, loss in zip(factors, losses, strict=True)))
    return Loss(total, max(loss.count for loss in losses))
