"""`flow.switch`: which of two branches runs."""

from typing import TypeVar

from hcpgraph import Choose, Lazy, node

T = TypeVar("T")


@node("flow.switch", choose=Choose("condition", {"true": ["on_true"], "false": ["on_false"]}))
def switch(
    on_true: Lazy[T] = None,  # type: ignore[assignment]
    on_false: Lazy[T] = None,  # type: ignore[assignment]
    *,
    condition: bool = True,
) -> T:
    """Take one of two branches; the other one is not run.

    Args:
        on_true: Used if the condition holds.
        on_false: Used otherwise.
        condition: Which branch; may be fed by a wire.
    """
    return on_true if condition else on_false
