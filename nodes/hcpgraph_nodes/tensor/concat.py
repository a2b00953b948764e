"""`tensor.concat`."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, TypeVar

import torch

from hcpgraph import Many, node
from hcpgraph.widgets import Hint

from ..types import Rows
from .records import MEAN_SOMETHING, same_kinds, with_keys, with_numbers
from .shapes import Along, axis, misfit

T = TypeVar("T", bound=Rows)


@node("tensor.concat", title="Concatenate")
def concat(values: Many[T], *, along: Annotated[Along, Hint(primary=True)] = "batch") -> T:
    """Put rows behind each other, as further samples or as further channels of the same samples.

    Args:
        values: Records of one type (B, …), in order.
        along: `batch`: the samples of the first, then those of the second, …; `channels`: of every sample the channels
            of the first, then those of the second, …

    Returns:
        out: All of them, of the type and kind of the first. Along the batch the keys are joined; where one of them has
            none, the result has none. Along the channels they are those of the first.

    Raises:
        GraphError: E_BATCH, E_SHAPE, they differ in more than what they are joined along; E_PREDICTION, they do not
            mean the same.
    """
    first = values[0]
    number = axis(along, first.data, "values.0")
    tensors = [each.data for each in values]
    for index, each in enumerate(tensors):
        if not each.is_same_size(tensors[0]):
            shape, wanted = each.shape, tensors[0].shape
            if shape[:number] + shape[number + 1 :] != wanted[:number] + wanted[number + 1 :]:
                raise misfit(f"values.{index}", shape, wanted, rows=number == 1)
    if type(first) in MEAN_SOMETHING:
        same_kinds(values, "values")
    data = torch.cat(tensors, number)
    if number == 1:
        return with_numbers(first, data)
    keys = [getattr(each, "keys", None) for each in values]
    return with_keys(first, data, None if None in keys else tuple(chain.from_iterable(keys)))  # type: ignore[arg-type]
