"""`value.seed`: a seed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Seed


@node("value.seed", fold=True)
def seed(*, value: Annotated[int, Field(ge=0, le=2**32 - 1), Seed(primary=True)] = 0) -> int:
    """A seed that several nodes share; `hcpgraph run --seed` sets it.

    Args:
        value: The seed.
    """
    return value
