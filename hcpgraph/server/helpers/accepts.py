"""The table that the editor connects by: which source types each target type takes (the rule itself is in `types`)."""

from __future__ import annotations

from collections.abc import Iterable

from ...declaring.spec import NodeSpec
from ...types import MANY, Lattice, accepts, parse


def table(specs: Iterable[NodeSpec], types: Lattice) -> dict[str, list[str]]:
    """Target type -> source types, both written as in specs; also every registered type and the list of it, and
    `Many[T]` for inputs that take many wires."""
    known = {*types, *(f"list[{name}]" for name in types), "any", "list[any]"}
    for spec in specs:
        known |= {port.type for port in spec.ports()} | set(spec.setting_types.values())
        known |= {str(port.takes) for port in spec.inputs}
    refs = {text: parse(text) for text in sorted(known)}
    return {
        target: [source for source, given in refs.items() if given.name != MANY and accepts(types, wanted, given, {})]
        for target, wanted in refs.items()
    }
