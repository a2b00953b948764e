"""`value.int`: a whole number."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node

SAFE = 2**53 - 1


@node("value.int", fold=True)
def whole(*, value: Annotated[int, Field(ge=-SAFE, le=SAFE)] = 0) -> int:
    """A whole number, for several settings that share it.

    Args:
        value: The number.
    """
    return value
