"""`tensor.mix`."""

from __future__ import annotations

from typing import Annotated, TypeVar

import torch
from pydantic import Field

from hcpgraph import Many, node

from ..types import Numbers
from .records import put_together, same_kinds
from .rule import one_weight_a_wire, refuse
from .shapes import fit

T = TypeVar("T", bound=Numbers)


@node("tensor.mix")
def mix(values: Many[T], *, weights: Annotated[list[float], Field(max_length=64)] = []) -> T:  # noqa: B006
    """Add what comes in, each with its weight: w_0 x_0 + w_1 x_1 + …

    With 1 and −1 it is a difference, with 1 − a and a the way from one to the other, with a above 1 beyond it.

    Args:
        values: Records of one type (B, …), in order; a record of one row counts for every sample.
        weights: One weight a wire, negative ones too; empty: 1 each.

    Returns:
        out: The sum, of the type, the keys and the kind of the first; of losses it stands for as many samples as the
            largest of them.

    Raises:
        GraphError: E_WEIGHTS_COUNT; E_BATCH, E_SHAPE, they are not of one shape; E_PREDICTION, they do not mean the
            same.
    """
    factors = weights or [1.0] * len(values)
    if len(factors) != len(values):
        refuse(one_weight_a_wire(weights, len(values)))
    first = values[0]
    shape = first.data.shape
    total = first.data if factors[0] == 1 else first.data * factors[0]
    for each, factor in zip(values[1:], factors[1:], strict=True):
        if each.data.shape != shape:
            fit(values, "values")
        total = torch.add(total, each.data, alpha=factor)
    if hasattr(first, "kind"):
        same_kinds(values, "values")
    made: T = put_together(values, total)
    return made
