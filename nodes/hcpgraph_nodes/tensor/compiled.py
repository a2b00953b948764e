"""Rows of a formula as a flat list of calls of torch, for shapes that are known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..types import SampleLoss
from .formula_rule import PORT, Row, place
from .functions import FUNCTIONS
from .shapes import Shape, joined, misfit

Call = tuple[Callable[..., Tensor], int, int | None]
Program = list[Call]
"""What is called, and the number of its one or two values among the wires and the results before it."""

UNARY = FUNCTIONS | {"detach": torch.Tensor.detach}
BINARY: dict[str, Callable[[Any, Any], Tensor]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "min": torch.minimum,
    "max": torch.maximum,
}
BOUND = {"min": "max", "max": "min"}
"""min(x, 1) is what clamp calls max=1."""


def compiled(rows: Sequence[Row], shapes: Sequence[Shape], kind: type) -> tuple[Program, Shape]:
    """The calls of rows, each for the shapes that it will get, and the shape of the result.

    Args:
        rows: The rows, free of problems (`row_problems`).
        shapes: Those of the wires.
        kind: Type of the result, which has the shape of a row of the first wire unless it is a loss, not reduced.

    Raises:
        GraphError: E_BATCH, E_SHAPE, at the port of the wire that does not fit, else at the setting.
    """
    known = list(shapes)
    program: Program = []
    for row in rows:
        names = [each for each in row["of"] if isinstance(each, str)]
        places = [index if wire else len(shapes) + index for wire, index in map(place, names)]
        given = [known[each] for each in places]
        if len(places) == 2:
            shape = joined(*given)
            if shape is None:
                raise misfit(_port(names), given[1], given[0])
            call = _widening(BINARY[row["op"]], given, shape)
        else:
            (shape,) = given
            call = _of_one(row, len(shape))
            if row["op"].endswith("_per_sample"):
                if not shape:
                    hint = "take what was not reduced yet, such as the output of loss.mse"
                    raise GraphError("E_SHAPE", "a single number has no rows", port=_port(names), hint=hint)
                shape = shape[:1]
        known.append(shape)
        program.append((call, places[0], places[1] if len(places) == 2 else None))
    result, first = known[-1], shapes[0]
    if (len(result) != len(first) or result[1:] != first[1:]) and not (kind is SampleLoss and result):
        message = f"the result is {list(result)}, and in0, whose type it has, is {list(first)}"
        hint = "wire what the result is like to `value`; of losses, one a sample will do"
        raise GraphError("E_SHAPE", message, port=PORT, hint=hint)
    return program, result


def _port(names: Sequence[str]) -> str:
    """The port of the last wire that a row reads."""
    wires = [index for wire, index in map(place, names) if wire]
    return PORT if not wires else "value" if wires[-1] == 0 else f"others.{wires[-1] - 1}"


def _of_one(row: Row, dimensions: int) -> Callable[[Tensor], Tensor]:
    """An operation that reads one wire or row, and perhaps numbers."""
    op, of = row["op"], row["of"]
    if op == "clamp":
        return partial(torch.clamp, min=of[1], max=of[2])
    if op in BOUND:
        (number,) = (each for each in of if not isinstance(each, str))
        return partial(torch.clamp, **{BOUND[op]: number})
    if op in BINARY:
        call = BINARY[op]
        if not isinstance(of[0], str):
            return partial(call, of[0])
        return lambda value, number=of[1]: call(value, number)  # type: ignore[misc]
    if op.endswith("_per_sample"):
        return _per_sample(op.partition("_")[0], dimensions)
    return UNARY[op]


def _per_sample(reduction: str, dimensions: int) -> Callable[[Tensor], Tensor]:
    """Mean, sum or Euclidean norm of every row; one number a sample is its own mean and sum."""
    if dimensions == 1:
        return torch.abs if reduction == "norm" else _same
    if reduction == "norm":
        return partial(torch.linalg.vector_norm, dim=tuple(range(1, dimensions)))
    return partial(torch.mean if reduction == "mean" else torch.sum, dim=tuple(range(1, dimensions)))


def _same(value: Tensor) -> Tensor:
    return value


def _widening(call: Callable[..., Tensor], given: Sequence[Shape], shape: Shape) -> Callable[..., Tensor]:
    """The operation on two tensors; one number a sample gets the dimensions of a row."""
    ones = [1] * (len(shape) - 1)
    wide = [len(each) == 1 < len(shape) for each in given]
    if wide[0]:
        return lambda one, two: call(one.view(-1, *ones), two)
    if wide[1]:
        return lambda one, two: call(one, two.view(-1, *ones))
    return call
