"""`value.float`: a number."""

from __future__ import annotations

from hcpgraph import node


@node("value.float", fold=True)
def number(*, value: float = 0.0) -> float:
    """A number, for several settings that share it.

    Args:
        value: The number.
    """
    return value
