"""`value.logic`: and, or, not."""

from __future__ import annotations

from typing import Literal

from hcpgraph import node


@node("value.logic", fold=True, title="Logic")
def logic(*, operation: Literal["and", "or", "not"] = "and", a: bool = False, b: bool = False) -> bool:
    """Combine two answers of yes or no with and, or, not; wires into `a` and `b` replace what is written there.

    Args:
        operation: `and`: both hold; `or`: one of them or both; `not`: a does not hold, whatever b is.
        a: The first answer.
        b: The second answer.
    """
    if operation == "not":
        return not a
    return (a and b) if operation == "and" else (a or b)
