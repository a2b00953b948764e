"""`tensor.per_sample`."""

from __future__ import annotations

from typing import Annotated, Literal

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..types import Rows, SampleLoss

Reduction = Literal["mean", "sum", "max", "norm"]


@node("tensor.per_sample")
def per_sample(value: Rows, *, reduction: Annotated[Reduction, Hint(primary=True)] = "mean") -> SampleLoss:
    """One number a sample: the mean, the sum, the largest or the length of its row.

    What comes out is a loss that is not reduced over the samples: loss.mean makes the loss of it. As weights it goes
    into tensor.scale.

    Args:
        value: Losses, latents, or any other rows (B, …).
        reduction: `mean`, `sum` or `max` of the numbers of a row, or their Euclidean `norm`.

    Returns:
        out: One number a sample (B,).

    Raises:
        GraphError: E_SHAPE, there are no rows.
    """
    data = value.data
    if data.dim() == 0:
        hint = "take what was not reduced yet, such as the output of loss.mse"
        raise GraphError("E_SHAPE", "a single number has no rows", port="value", hint=hint)
    rows = data.flatten(1) if data.dim() > 1 else data[:, None]
    if reduction == "mean":
        return SampleLoss(rows.mean(1))
    if reduction == "sum":
        return SampleLoss(rows.sum(1))
    return SampleLoss(rows.amax(1) if reduction == "max" else rows.norm(dim=1))
