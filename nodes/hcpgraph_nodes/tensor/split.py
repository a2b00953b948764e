"""`tensor.split`."""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..types import Rows
from .records import with_keys, with_numbers
from .rule import one_division, refuse
from .shapes import Along, axis

T = TypeVar("T", bound=Rows)


class Parts(NamedTuple, Generic[T]):
    first: T
    rest: T


@node("tensor.split")
def split(
    value: T,
    *,
    along: Annotated[Along, Hint(primary=True)] = "batch",
    parts: Annotated[int, Field(ge=2, le=1024)] = 2,
    size: Annotated[int, Field(ge=1, le=2**31)] | None = None,
) -> Parts[T]:
    """Take rows apart into the first ones and the rest: pairs of a batch, the two halves of the channels.

    Args:
        value: Latents, losses, noise, or any other rows (B, …).
        along: Whether samples (`batch`) or channels are divided.
        parts: The first of so many equal parts goes to `first`, the others to `rest`: 2 halves. Split the rest again,
            into one part less, for the next. Must be 2 where `size` says it.
        size: How many samples or channels go to `first`; none: as `parts` says.

    Returns:
        first: The first ones, of the type and kind of `value`, with their keys.
        rest: The others.

    Raises:
        GraphError: E_RANGE, they cannot be divided so; E_SETTING, size and other parts than 2; E_SHAPE, there are no
            channels.
    """
    if size is not None:
        refuse(one_division(parts, size))
    number = axis(along, value.data, "value")
    whole = value.data.shape[number]
    at = whole // parts if size is None else size
    if not 0 < at < whole or (size is None and whole % parts):
        told = f"{parts} equal parts" if size is None else f"{size} and a rest"
        hint = "change parts or size" + "; a batch_size and drop_last of data.loader keep batches alike" * (number == 0)
        raise GraphError("E_RANGE", f"{whole} along the {along} are not {told}", port="value", hint=hint)
    one, two = value.data.split((at, whole - at), number)
    keys = getattr(value, "keys", None)
    if number == 1 or keys is None:
        return Parts(with_numbers(value, one), with_numbers(value, two))
    return Parts(with_keys(value, one, keys[:at]), with_keys(value, two, keys[at:]))
