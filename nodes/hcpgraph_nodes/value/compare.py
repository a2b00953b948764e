"""`value.compare`: whether a number is smaller or larger than another."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal

from hcpgraph import node

Comparison = Literal["lt", "le", "eq", "ne", "ge", "gt"]
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}


@node("value.compare", fold=True, title="Compare")
def compare(*, comparison: Comparison = "lt", a: float = 0.0, b: float = 0.0) -> bool:
    """Compare two numbers, for a switch or another yes or no; wires into `a` and `b` replace what is written there.

    Args:
        comparison: What is asked: a < b, a ≤ b, a = b, a ≠ b, a ≥ b, a > b.
        a: The first number.
        b: The second number.
    """
    return COMPARISONS[comparison](a, b)
