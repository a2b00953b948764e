"""The table that the editor connects by: which source types each target type takes (the rule itself is in `types`)."""

from __future__ import annotations

from collections.abc import Iterable

from ...declaring.spec import NodeSpec
from ...types import Lattice, accepts, parse


def table(specs: Iterable[NodeSpec], types: Lattice) -> dict[str, list[str]]:
    """Target type -> source types, both written as in specs; also every registered type and the list of it."""
    known = {*types, *(f"list[{name}]" for name in types), "any", "list[any]"}
    for spec in specs:
        known |= {port.type for port in spec.ports()} | set(spec.setting_types.values())
    refs = {text: parse(text) for text in sorted(known)}
    return {
        target: [source for source, given in refs.items() if accepts(types, wanted, given, {})]
        for target, wanted in refs.items()
    }
