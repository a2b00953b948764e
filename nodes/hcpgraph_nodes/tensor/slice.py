"""`tensor.slice`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..types import Rows
from .records import with_keys, with_numbers
from .shapes import Along, axis

T = TypeVar("T", bound=Rows)
Place = Annotated[int, Field(ge=-(2**31), le=2**31)]


@node("tensor.slice")
def cut_out(
    value: T,
    *,
    along: Annotated[Along, Hint(primary=True)] = "channels",
    start: Place = 0,
    stop: Place | None = None,
    step: Annotated[int, Field(ge=1, le=2**31)] = 1,
) -> T:
    """Keep some samples or some channels.

    Args:
        value: Latents, losses, noise, or any other rows (B, …).
        along: Whether samples (`batch`) or channels are counted.
        start: The first that is kept, from 0; −1 is the last one.
        stop: The first that is no longer kept; none: up to the end; −1 leaves out the last one.
        step: Every how many one is kept: 2 takes one of each pair.

    Returns:
        out: What is kept, of the type and kind of `value`, with the keys of its samples.

    Raises:
        GraphError: E_RANGE, nothing is kept; E_SHAPE, there are no channels.
    """
    number, kept = axis(along, value.data, "value"), slice(start, stop, step)
    data = value.data[kept] if number == 0 else value.data[:, kept]
    if data.shape[number] == 0:
        size = value.data.shape[number]
        hint = f"there are {size}: take start and stop from 0 … {size}"
        raise GraphError("E_RANGE", f"nothing of the {along} lies there", port="start", hint=hint)
    if number == 1:
        return with_numbers(value, data)
    keys = getattr(value, "keys", None)
    return with_keys(value, data, keys and keys[kept])
