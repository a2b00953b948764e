"""`value.format`: a text with named slots."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import node
from hcpgraph.widgets import TextArea

from ..text.fill import fill


@node("value.format", fold=True)
def fill_slots(
    *,
    template: Annotated[str, TextArea(primary=True)] = "",
    values: dict[str, str | int | float | bool] = {},  # noqa: B006 - a default of the schema, never changed
) -> str:
    """Fill the `{slots}` of a text. Plain replacement: no expressions, no attributes.

    Args:
        template: The text, such as `out:{name}-{rank}`.
        values: What goes into the slots, by name; numbers take their shortest form, yes and no are true and false.

    Raises:
        GraphError: E_SLOT, a slot has no value.
    """
    return fill(template, {name: _written(value) for name, value in values.items()})


def _written(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
