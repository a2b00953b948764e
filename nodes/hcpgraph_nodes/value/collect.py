"""`value.collect`: a list of what several wires bring."""

from __future__ import annotations

from typing import TypeVar

from hcpgraph import Many, node

T = TypeVar("T")


@node("value.collect", fold=True, title="Collect")
def collect(values: Many[T]) -> list[T]:
    """Make a list of the values of several wires, in their order, such as weights that follow the training.

    Args:
        values: The values.
    """
    return list(values)
