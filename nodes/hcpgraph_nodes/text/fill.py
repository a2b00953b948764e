"""Fill `{slots}` of a text: one pass, plain replacement, no expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hcpgraph.errors import GraphError, did_you_mean

SLOT = re.compile(r"\{(\w+)\}")


def slots(templates: Iterable[str]) -> frozenset[str]:
    """The names of all slots in some templates."""
    return frozenset(name for template in templates for name in SLOT.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every `{name}` by its value; what a value contains is not filled again.

    Raises:
        GraphError: E_SLOT, a slot that has no value.
    """
    try:
        return SLOT.sub(lambda match: values[match[1]], template)
    except KeyError as error:
        name = error.args[0]
        hint = did_you_mean(name, values, "slots")
        raise GraphError("E_SLOT", f"'{{{name}}}' in '{template}' has no value", hint=hint) from None
