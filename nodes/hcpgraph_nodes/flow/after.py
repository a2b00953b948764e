"""`flow.after`: what comes after training."""

from typing import TypeVar

from hcpgraph import node
from hcpgraph_nodes.types import Trained

T = TypeVar("T")


@node("flow.after", cache="none")
def after(value: T, trained: Trained) -> T:
    """Hand on a value once training is done: a model behind this node has the weights after it.

    Args:
        value: Any value, mostly a model or an adapter.
        trained: `trained` of the loop to wait for.
    """
    return value
