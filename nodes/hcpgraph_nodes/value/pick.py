"""`value.pick`: one item of a list."""

from __future__ import annotations

from typing import TypeVar

from hcpgraph import GraphError, node

T = TypeVar("T")


@node("value.pick", fold=True)
def pick(items: list[T], *, index: int = 0) -> T:
    """One item of a list.

    Args:
        items: The list.
        index: Which one, counted from 0; -1 is the last.

    Raises:
        GraphError: E_VALUE, the list is shorter.
    """
    if not -len(items) <= index < len(items):
        hint = f"take an index from 0 to {len(items) - 1}" if items else "the list is empty"
        raise GraphError("E_VALUE", f"there is no item {index} in a list of {len(items)}", hint=hint)
    return items[index]
