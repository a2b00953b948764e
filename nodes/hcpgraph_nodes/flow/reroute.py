"""`flow.reroute`: a wire that goes another way."""

from typing import TypeVar

from hcpgraph import node

T = TypeVar("T")


@node("flow.reroute", cache="none", fold=True)
def reroute(value: T) -> T:
    """Hand on a value unchanged, to lead a wire around other nodes.

    Args:
        value: Any value.
    """
    return value
