"""Fill `{slots}` of a text: one pass, plain replacement, no expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hcpgraph.errors import GraphError, did_you_mean

MAX_TEXT = 2**20
"""Characters of a text that is put together: a few wires can double one again and again."""
SLOT = re.compile(r"\{(\w+)\}")


def slots(templates: Iterable[str]) -> frozenset[str]:
    """The names of all slots in some templates."""
    return frozenset(name for template in templates for name in SLOT.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every `{name}` by its value; what a value contains is not filled again.

    Raises:
        GraphError: E_SLOT, a slot that has no value; E_TEXT_SIZE.
    """
    try:
        check_size(len(template) + sum(len(values[name]) for name in SLOT.findall(template)))
        return SLOT.sub(lambda match: values[match[1]], template)
    except KeyError as error:
        name = error.args[0]
        hint = did_you_mean(name, values, "slots")
        raise GraphError("E_SLOT", f"'{{{name}}}' in '{template}' has no value", hint=hint) from None


def check_size(length: int) -> None:
    """Refuse a text before it is made.

    Raises:
        GraphError: E_TEXT_SIZE, it would have more than MAX_TEXT characters.
    """
    if length > MAX_TEXT:
        message = f"the text would have {length:,} characters, and {MAX_TEXT:,} are allowed"
        raise GraphError("E_TEXT_SIZE", message, hint="put fewer or shorter texts together")
