"""`tensor.formula`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from hcpgraph import Many, node
from hcpgraph.widgets import Formula

from ..types import Numbers
from .compiled import Program, compiled
from .formula_rule import OPERATIONS, row_problems
from .records import put_together, with_numbers
from .rule import refuse
from .shapes import Shape

T = TypeVar("T", bound=Numbers)
Operation = Literal[
    "add", "sub", "mul", "div", "pow", "min", "max", "clamp", "neg", "square", "abs", "sqrt", "exp", "log",
    "log_sigmoid", "softplus", "tanh", "sigmoid", "detach", "mean_per_sample", "sum_per_sample", "norm_per_sample",
]  # fmt: skip
Reference = Annotated[str, Field(pattern=r"^(in|row)(0|[1-9][0-9]{0,2})$")]


@with_config(ConfigDict(extra="forbid"))
class Row(TypedDict):
    op: Operation
    of: Annotated[list[Reference | int | float], Field(min_length=1, max_length=3)]


Rows = Annotated[list[Row], Field(min_length=1, max_length=64), Formula(primary=True, operations=OPERATIONS)]
SHAPES = 256
"""Combinations of shapes whose programs are remembered: batches of buckets differ in size."""


@node("tensor.formula")
class TensorFormula:
    """A formula of what comes in, row by row: each row is one operation on wires, numbers and rows before it.

    The last row is the result. Shapes are checked when they are first seen; after that a row is one call of torch.

    Args:
        value: `in0`, (B, …): the result has its type, keys and kind.
        others: `in1`, `in2`, …, of any type, in order. One number a sample (B,) is for the whole row of others
            (B, …), a size of 1 stands for all, and a scalar for everything.
        rows: Operations `op`, each `of` wires (`in0`), earlier rows (`row0`) and numbers: add, sub, mul, div, pow, min
            and max of two, clamp of one and two bounds, and of one value neg, square, abs, sqrt, exp, log,
            log_sigmoid, softplus, tanh, sigmoid, detach (no gradients flow back), mean_per_sample, sum_per_sample and
            norm_per_sample (B,).

    Returns:
        out: The last row. Of losses it stands for as many samples as the largest of them; timesteps of a table are
            rounded.

    Raises:
        GraphError: E_FORMULA, a row that cannot be, or something that is not read; E_BATCH, E_SHAPE, shapes do not
            fit, or rows of the result are not of the shape of those of in0; losses, not reduced, may be of any.
    """

    def __init__(self, *, rows: Rows = [{"op": "square", "of": ["in0"]}]) -> None:  # noqa: B006
        self.rows = rows
        self.programs: dict[tuple[Shape, ...], tuple[Program, bool]] = {}

    def __call__(self, value: T, others: Many[Numbers] = ()) -> T:
        values = [value.data]
        if others:
            values += [each.data for each in others]
        shapes = tuple([each.shape for each in values])
        known = self.programs.get(shapes)
        if known is None:
            known = self._compile(shapes, value)
        for call, one, two in known[0]:
            values.append(call(values[one]) if two is None else call(values[one], values[two]))
        if known[1]:
            return with_numbers(value, values[-1])
        result: T = put_together((value, *others), values[-1])
        return result

    def _compile(self, shapes: tuple[Shape, ...], value: Numbers) -> tuple[Program, bool]:
        """The program for shapes, and whether the result has a row for each of the first wire, whose keys it gets."""
        refuse(row_problems(self.rows, len(shapes)))
        if len(self.programs) >= SHAPES:
            self.programs.clear()
        program, result = compiled(self.rows, shapes, type(value))
        known = self.programs[shapes] = (program, bool(result) and result[:1] == shapes[0][:1])
        return known
