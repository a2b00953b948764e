"""`value.bool`: yes or no."""

from __future__ import annotations

from hcpgraph import node


@node("value.bool", fold=True)
def switch(*, value: bool = False) -> bool:
    """Yes or no, for several settings that share it.

    Args:
        value: The answer.
    """
    return value
