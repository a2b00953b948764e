"""`value.math`: one operation on two numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Literal

from hcpgraph import GraphError, node

Operation = Literal["add", "sub", "mul", "div", "floordiv", "mod", "pow", "min", "max"]
OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": math.pow,
    "min": min,
    "max": max,
}


@node("value.math", fold=True)
def calculate(*, operation: Operation = "add", a: float = 0.0, b: float = 0.0) -> float:
    """Calculate with two numbers; wires into `a` and `b` replace what is written there.

    `floordiv` rounds down, `mod` has the sign of `b`. `value.round` makes a whole number of the result.

    Args:
        operation: What is done: a + b, a − b, a · b, a / b, ⌊a / b⌋, a − b·⌊a / b⌋, a^b, the smaller, the larger.
        a: The first number.
        b: The second number.

    Raises:
        GraphError: E_VALUE, the result is no finite number, such as after a division by zero.
    """
    try:
        result = float(OPERATIONS[operation](a, b))
    except (ArithmeticError, ValueError):
        result = math.nan
    if not math.isfinite(result):
        raise GraphError("E_VALUE", f"{operation} of {a:g} and {b:g} is no finite number", hint="change a or b")
    return result
