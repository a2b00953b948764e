"""`tensor.mix`."""

from __future__ import annotations

from typing import Annotated, TypeVar

import torch
from pydantic import Field

from hcpgraph import Many, node

from ..types import Loss, Numbers
from .records import MEAN_SOMETHING, put_together, same_kinds, with_numbers
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
    count, first = len(values), values[0]
    if weights and len(weights) != count:
        refuse(one_weight_a_wire(weights, count))
    total, alike = first.data, True
    if weights and weights[0] != 1:
        total = total * weights[0]
    for number in range(1, count):
        data = values[number].data
        if not data.is_same_size(total):
            alike = fit(values, "values")
        total = torch.add(total, data, alpha=weights[number] if weights else 1)
    if type(first) in MEAN_SOMETHING:
        same_kinds(values, "values")
    return with_numbers(first, total) if alike and type(first) is not Loss else put_together(values, total)
