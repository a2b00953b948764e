"""Which shapes fit each other, and along what rows are put together and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from hcpgraph import GraphError

from ..types import Numbers

Along = Literal["batch", "channels"]
Shape = tuple[int, ...]
PLAIN = "put tensor.resize, tensor.slice or tensor.per_sample between"


def joined(one: Shape, two: Shape) -> Shape | None:
    """The shape of an operation on two tensors, element by element; None if they do not fit.

    A size of 1 stands for all, a scalar goes with everything, and one number a sample (B,) is for the whole row.
    """
    if not one or not two:
        return one or two
    one, two = _widened(one, len(two)), _widened(two, len(one))
    if len(one) != len(two) or any(a != b and 1 not in (a, b) for a, b in zip(one, two, strict=True)):
        return None
    return tuple(b if a == 1 else a for a, b in zip(one, two, strict=True))


def _widened(shape: Shape, dimensions: int) -> Shape:
    return (*shape, *[1] * (dimensions - 1)) if len(shape) == 1 else shape


def misfit(port: str, shape: Sequence[int], beside: Sequence[int], *, rows: bool = True) -> GraphError:
    """The error of a shape that does not fit another one: E_BATCH if `rows` matter, and their numbers differ."""
    rows = rows and len(shape) > 0 < len(beside) and shape[0] != beside[0] and 1 not in (shape[0], beside[0])
    code, hint = ("E_BATCH", "wire what belongs to one batch") if rows else ("E_SHAPE", PLAIN)
    return GraphError(code, f"{list(shape)} beside {list(beside)}", port=port, hint=hint)


def fit(records: Sequence[Numbers], port: str) -> bool:
    """Whether records are of one shape; one row may stand for all.

    Raises:
        GraphError: E_BATCH, E_SHAPE.
    """
    shapes = [tuple(each.data.shape) for each in records]
    longest = max(shapes)
    for number, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]) or shape[1:] != shapes[0][1:]:
            raise misfit(f"{port}.{number}", shape, shapes[0], rows=False)
        if shape[:1] not in ((1,), longest[:1]):
            raise misfit(f"{port}.{number}", shape, longest)
    return all(shape == longest for shape in shapes)


def axis(along: Along, data: Tensor, port: str) -> int:
    """The dimension that is meant.

    Raises:
        GraphError: E_SHAPE, there are no channels, or not even rows.
    """
    number = 0 if along == "batch" else 1
    if data.dim() > number:
        return number
    hint = "take a wire of latents, pictures or losses of every element (B, C, h, w)"
    raise GraphError("E_SHAPE", f"{list(data.shape)} has no {along}", port=port, hint=hint)
