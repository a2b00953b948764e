"""`value.round`: a whole number from any number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from hcpgraph import GraphError, node

MODES: dict[str, Callable[[float], int]] = {"nearest": round, "down": math.floor, "up": math.ceil}


@node("value.round", fold=True)
def rounded(*, value: float = 0.0, mode: Literal["nearest", "down", "up"] = "nearest") -> int:
    """Make a whole number, for settings that take nothing else.

    Args:
        value: The number; a wire into it replaces what is written there.
        mode: `nearest` (halves go to the even neighbour), `down` or `up`.

    Raises:
        GraphError: E_VALUE, the number is not finite.
    """
    if not math.isfinite(value):
        raise GraphError("E_VALUE", f"{value} cannot be rounded", hint="give a finite number")
    return MODES[mode](value)
