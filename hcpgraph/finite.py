"""Whether numbers are finite: neither infinite nor "not a number"."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import GraphError

if TYPE_CHECKING:
    from torch import Tensor

SHOWN = 3
READ = "the file is damaged, or what trained it went out of bounds: take an earlier one"
WRITTEN = "lower the learning rate, or write another precision; a training keeps its earlier checkpoints"


def is_finite(tensor: Tensor) -> bool:
    """Whether every number of a tensor is finite. One pass without a copy: the extremes are NaN if any number is."""
    if tensor.is_complex():
        import torch

        tensor = torch.view_as_real(tensor)
    if not tensor.is_floating_point() or tensor.numel() == 0 or tensor.is_meta:
        return True
    if tensor.element_size() == 1:  # the 8-bit kinds have no order of their own
        tensor = tensor.float()
    low, high = tensor.detach().aminmax()
    return bool((low.isfinite() & high.isfinite()).item())


def refuse_not_finite(
    weights: Iterable[tuple[str, Tensor]], what: str, hint: str, *, node: str | None = None, port: str | None = None
) -> None:
    """What every way in and out asks of weights.

    Args:
        weights: Tensors by name.
        what: What they are, for the message.
        hint: `READ`, `WRITTEN` or another remedy.
        node, port: Where they come from, if it is not the node that runs.

    Raises:
        GraphError: E_NOT_FINITE, naming the first of those that are not finite.
    """
    wrong = [name for name, value in weights if not is_finite(value)]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        message = f"weights of {what} are infinite or not numbers: {', '.join(wrong[:SHOWN])}{more}"
        raise GraphError("E_NOT_FINITE", message, node=node, port=port, hint=hint)


def all_finite(value: Any) -> bool:
    """Whether every tensor in a value on a wire is finite: in lists, tuples, mappings and records of them."""
    stack = [value]
    while stack:
        item = stack.pop()
        if hasattr(item, "aminmax"):
            if not is_finite(item):
                return False
        elif isinstance(item, float):
            if not math.isfinite(item):
                return False
        elif isinstance(item, Mapping):
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            stack += (getattr(item, field.name) for field in dataclasses.fields(item))
    return True
