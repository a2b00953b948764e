"""Order and choice: what comes after training, which branch runs."""

from typing import TypeVar

from hcpgraph import Choose, Lazy, node
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


@node("flow.switch", choose=Choose("condition", {"true": ["on_true"], "false": ["on_false"]}))
def switch(on_true: Lazy[T] = None, on_false: Lazy[T] = None, *, condition: bool = True) -> T:
    """Take one of two branches; the other one is not run.

    Args:
        on_true: Used if the condition holds.
        on_false: Used otherwise.
        condition: Which branch; may be fed by a wire.
    """
    return on_true if condition else on_false


@node("flow.reroute", cache="none", fold=True)
def reroute(value: T) -> T:
    """Hand on a value unchanged, to lead a wire around other nodes.

    Args:
        value: Any value.
    """
    return value
