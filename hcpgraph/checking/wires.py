"""What is known of every wire without running: its type and its facts (DESIGN §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declaring.registry import Registry, Resolve
from ..declaring.spec import PortSpec
from ..types import ANY, TypeRef, accepts, parse, spreads, substitute
from . import sweeps
from .flat import Flat, FlatNode, Source, owns
from .order import BEGIN, Order

Fact = tuple[Any, str]
"""A value and the port it came from."""


@dataclass
class _Known:
    """What the wires of one node have told so far.

    Attributes:
        bound: What its type variables stand for.
        agreed: Facts that all its ports agree on.
        told: Facts that may differ between ports: of each type the first one that came in.
    """

    bound: dict[str, TypeRef] = field(default_factory=dict)
    agreed: dict[str, Fact] = field(default_factory=dict)
    told: dict[tuple[str, str], Fact] = field(default_factory=dict)


@dataclass
class Wires:
    """Type and facts of every source `(node, port)`.

    Attributes:
        spread: Wires, by node, port and number, that bring a list whose items each count as a wire.
    """

    types: dict[Source, TypeRef] = field(default_factory=dict)
    facts: dict[Source, dict[str, Fact]] = field(default_factory=dict)
    inputs: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    spread: set[tuple[str, str, int]] = field(default_factory=set)


def infer(
    flat: Flat, order: Order, registry: Registry, settings: Mapping[str, Mapping[str, Any]], resolve: Resolve
) -> Wires:
    """Walk the vertices in order, check every wire, and give every source its type and facts.

    Args:
        settings: Flat id -> settings with defaults.
        resolve: Turns `root:relative` into a path, for probes.
    """
    wires = Wires()
    known: dict[str, _Known] = {}
    for id, part in order.sorted:
        node = flat.nodes[id]
        if node.spec is None:
            continue
        begins, ends = part == BEGIN, part != BEGIN or not owns(node)
        if begins:
            known[id] = _Known()
            ports = tuple(port for port in node.spec.inputs if not port.later)
            _inputs(flat, node, ports, node.inputs, registry, wires, known[id])
            _settings_wires(flat, node, registry, wires)
            _sources(node, node.spec.entries, wires, known[id], settings[id], registry, resolve)
        if ends:
            if node.spec.exits:
                _inputs(flat, node, node.spec.exits, node.exits, registry, wires, known[id])
            _sources(node, node.spec.outputs, wires, known[id], settings[id], registry, resolve)
    for id, told in known.items():
        node = flat.nodes[id]
        if node.spec is not None and node.spec.later:
            ports = tuple(port for port in node.spec.inputs if port.later)
            _inputs(flat, node, ports, node.inputs, registry, wires, told)
    return wires


def _inputs(
    flat: Flat,
    node: FlatNode,
    ports: tuple[PortSpec, ...],
    connected: Mapping[str, list[Source]],
    registry: Registry,
    wires: Wires,
    known: _Known,
) -> None:
    for port in ports:
        for index, source in enumerate(connected.get(port.name, ())):
            kind = wires.types.get(source, ANY)
            label = f"{port.name}.{index}" if port.many else port.name
            if port.many and connected is node.inputs and spreads(registry.types, port.takes, kind, known.bound):
                wires.spread.add((node.id, port.name, index))
                kind = kind.args[0]
            elif not accepts(registry.types, port.ref, kind, known.bound):
                wanted = substitute(port.ref, known.bound)
                flat.error("E_TYPE", f"takes {wanted}, but {source[0]}.{source[1]} gives {kind}", node.id, label,
                           _adapter(registry, wanted, kind))  # fmt: skip
                continue
            found = wires.facts.get(source)
            if found:
                told = set(_told(registry, kind))
                for name in found.keys() & told:
                    known.told.setdefault((str(kind.required()), name), found[name])
                _required(flat, node, port, label, source, found)
                _agree(
                    flat, node, label, {name: fact for name, fact in found.items() if name not in told}, known.agreed
                )
                wires.inputs.setdefault(node.id, {})[port.name] = {name: fact[0] for name, fact in found.items()}


def _told(registry: Registry, kind: TypeRef) -> tuple[str, ...]:
    """Facts that may differ between the ports of a node, of a type or of what its list holds."""
    info = registry.types.get(kind.args[0].name if kind.args else kind.name)
    return info.told if info else ()


def _required(
    flat: Flat, node: FlatNode, port: PortSpec, label: str, source: Source, found: Mapping[str, Fact]
) -> None:
    """What a port asks for literally."""
    for name, declared in port.facts.items():
        value, origin = found.get(name, (None, ""))
        if "literal" in declared and name in found and declared["literal"] != value:
            wanted = declared["literal"]
            message = f"needs {name} {wanted!r}, but {source[0]}.{source[1]} has {value!r} (from {origin})"
            flat.error("E_FACT", message, node.id, label, f"use a model of {name} {wanted!r}")


def _agree(flat: Flat, node: FlatNode, label: str, found: Mapping[str, Fact], agreed: dict[str, Fact]) -> None:
    """Facts of one name must be equal on all ports of a node; report the first place where two meet."""
    for name, (value, origin) in found.items():
        if name == "weights":
            continue
        other = agreed.setdefault(name, (value, origin))
        if other[0] != value:
            message = f"{name} {value!r} (from {origin}) meets {name} {other[0]!r} (from {other[1]})"
            flat.error(
                "E_FACT", message, node.id, label, f"take both from one model, or from models of the same {name}"
            )


def _adapter(registry: Registry, wanted: TypeRef, kind: TypeRef) -> str | None:
    """Node types with one required input of `kind` and an output of `wanted`."""
    names = []
    for spec in registry.specs.values():
        gives = any(out.type == wanted.name for out in spec.outputs)
        if gives and any(port.type.rstrip("?") == kind.name for port in spec.inputs):
            names.append(spec.id)
    return f"between the two fits: {', '.join(sorted(names)[:4])}" if names else None


def _settings_wires(flat: Flat, node: FlatNode, registry: Registry, wires: Wires) -> None:
    assert node.spec is not None
    for name, source in node.wired.items():
        wanted = parse(node.spec.setting_types.get(name, "any"))
        kind = wires.types.get(source, ANY)
        if not accepts(registry.types, wanted, kind):
            flat.error("E_TYPE", f"setting takes {wanted}, but {source[0]}.{source[1]} gives {kind}", node.id, name)


def _sources(
    node: FlatNode,
    ports: tuple[PortSpec, ...],
    wires: Wires,
    known: _Known,
    settings: Mapping[str, Any],
    registry: Registry,
    resolve: Resolve,
) -> None:
    for port in ports:
        source = (node.id, port.name)
        kind = substitute(port.ref, known.bound)
        wires.types[source] = kind
        info = registry.types.get(kind.args[0].name if kind.args else kind.name)
        names = {*port.facts, *(info.facts if info else ()), *_told(registry, kind)}
        if not names:
            continue
        facts: dict[str, Fact] = {}
        for name in names:
            declared = port.facts.get(name)
            if declared is None:
                own = known.told.get((str(kind.required()), name), known.agreed.get(name))
                if own is not None:
                    facts[name] = own
            elif "literal" in declared:
                facts[name] = (declared["literal"], f"{node.id}.{port.name}")
            elif "port" in declared:
                there = declared.get("fact", name)
                for first in node.inputs.get(declared["port"], ())[:1]:
                    if there in wires.facts.get(first, {}):
                        facts[name] = wires.facts[first][there]
            else:
                value = _agreed(node, declared, settings, registry, resolve)
                if value is not None:
                    facts[name] = (value, f"{node.id}.{port.name}")
        if facts:
            wires.facts[source] = facts


def _agreed(
    node: FlatNode, declared: Mapping[str, Any], settings: Mapping[str, Any], registry: Registry, resolve: Resolve
) -> Any:
    """The value of a fact; where settings differ between passes, the one that it has in all of them, if it has one."""
    rows = [row for _, row in sweeps.passes(node)] or [{}]
    found = [_evaluate(declared, {**settings, **row}, registry, resolve) for row in rows]
    return found[0] if all(value == found[0] for value in found) else None


def _evaluate(declared: Mapping[str, Any], settings: Mapping[str, Any], registry: Registry, resolve: Resolve) -> Any:
    """The value of a Setting or Probe fact; None while it is unknown, be it because a probed file is damaged."""
    if "setting" in declared:
        value = settings.get(declared["setting"])
        return None if value == "auto" else value
    prober = registry.probers.get(declared["probe"])
    if prober is None:
        return None
    try:
        return prober(settings, resolve)
    except Exception:
        return None
