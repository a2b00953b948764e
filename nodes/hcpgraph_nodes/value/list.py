"""`value.list`: a list."""

from __future__ import annotations

from typing import Any

from hcpgraph import node


@node("value.list", fold=True)
def items(*, value: list[Any] = []) -> list[Any]:  # noqa: B006 - a default of the schema, never changed
    """A list of JSON values, such as learning rates to try.

    Args:
        value: The items, in order.
    """
    return value
