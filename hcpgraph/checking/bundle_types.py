"""Which wires bring a bundle: the types of all sources, before any of them is taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..declaring.registry import Registry
from ..declaring.spec import PortSpec
from ..types import ANY, Lattice, TypeRef, accepts, substitute
from .flat import Flat, Source, owns
from .order import BEGIN, Order


def _is_bundle(types: Lattice, kind: TypeRef) -> bool:
    info = types.get(kind.name)
    return info is not None and bool(info.parts)


def sources_of_bundles(flat: Flat, order: Order, lattice: Lattice) -> dict[Source, str]:
    """The sources that give a bundle, and its type; wires that do not fit are told later."""
    types: dict[Source, TypeRef] = {}
    bound: dict[str, dict[str, TypeRef]] = {}
    for id, part in order.sorted:
        node = flat.nodes[id]
        spec = node.spec
        if spec is None:
            continue
        begins, ends = part == BEGIN, part != BEGIN or not owns(node)
        names = bound.setdefault(id, {})
        given: list[PortSpec] = []
        if begins:
            _bind(lattice, (*spec.takes, *spec.inputs), node.inputs, types, names)
            given += spec.entries
        if ends:
            _bind(lattice, spec.exits, node.exits, types, names)
            given += (*spec.gives, *spec.outputs)
        types |= {(id, port.name): substitute(port.ref, names) for port in given}
    return {source: kind.name for source, kind in types.items() if _is_bundle(lattice, kind)}


def _bind(
    lattice: Lattice,
    ports: Iterable[PortSpec],
    wired: Mapping[str, list[Source]],
    types: Mapping[Source, TypeRef],
    bound: dict[str, TypeRef],
) -> None:
    for port in ports:
        for source in wired.get(port.name, ()):
            accepts(lattice, port.ref, types.get(source, ANY), bound)


def has_bundles(flat: Flat, registry: Registry) -> bool:
    """Whether any node gives a bundle of its own; others only hand one on."""
    kinds = {name for name, info in registry.types.items() if info.parts}
    specs = {node.type: node.spec for node in flat.nodes.values() if node.spec is not None}
    ports = (port for spec in specs.values() for port in (*spec.gives, *spec.outputs, *spec.entries))
    return any(port.ref.name in kinds or any(arg.name in kinds for arg in port.ref.args) for port in ports)
