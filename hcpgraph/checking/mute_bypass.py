"""Mute and bypass: nodes that are drawn but do not take part (DESIGN §4).

Both are resolved on declared port types, before anything is inferred. Bypassed nodes go first: their readers are wired
to what fed them. Muted nodes follow, with the regions they own and everything that cannot do without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..declaring.registry import Registry
from ..declaring.spec import PortSpec
from ..types import Lattice, accepts, parse
from .flat import Flat, FlatNode, Source, owns


def resolve(flat: Flat, registry: Registry) -> None:
    """Take muted and bypassed nodes out of the graph; what stays is wired as if they had never been drawn.

    Problems are E_MODE (a region owner cannot be bypassed), E_BYPASS (nothing fits a required wire) and W_MUTED
    (a node that needs a muted one is muted too).
    """
    bypassed = [node for node in flat.nodes.values() if node.mode == "bypass" and _may_bypass(flat, node)]
    readers = _Readers(flat)
    for node in _upstream_first(flat, bypassed):
        _bypass(flat, node, readers, registry.types)
    for node in bypassed:
        _remove(flat, node.id)
    _mute(flat, [id for id, node in flat.nodes.items() if node.mode == "mute"])


def _may_bypass(flat: Flat, node: FlatNode) -> bool:
    if node.spec is None:
        return False
    if owns(node):
        flat.error("E_MODE", "the owner of a region can be muted, not bypassed", node.id,
                   hint="mute it, or bypass nodes inside of it")  # fmt: skip
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Reader:
    """One wire seen from its source: who reads it, where, and whether the reader can do without."""

    node: FlatNode | None
    kind: str
    port: str

    @property
    def where(self) -> str:
        return f"{self.node.id}.{self.port}" if self.node else f"interface output '{self.port}'"

    def optional(self) -> bool:
        """Whether the wire may simply go: list and optional ports, settings that have a value of their own."""
        if self.node is None:
            return False
        if self.node.spec is None:
            return True
        if self.kind == "setting":
            return self.port not in self.node.spec.required or self.port in self.node.settings
        port = self._spec()
        return port.many or (not self._left_out() if port.parts else port.optional)

    def needs_more(self) -> bool:
        """Whether the reader lacks something now that the wire is gone."""
        if self.node is None:
            return False
        if self.node.spec is None or self.kind == "setting":
            return not self.optional()
        sources = self.node.exits if self.kind == "exit" else self.node.inputs
        port = self._spec()
        return not sources.get(self.port) and (self._left_out() if port.parts else not port.optional)

    def _left_out(self) -> bool:
        """Whether a port that stands for others leaves one without a wire that needs one."""
        assert self.node is not None and self.node.spec is not None
        known = self.node.spec.input
        return any(not known[own].optional and not self.node.inputs.get(own) for own in self._spec().parts.values())

    def _spec(self) -> PortSpec:
        assert self.node is not None and self.node.spec is not None
        spec = self.node.spec
        return (spec.exit if self.kind == "exit" else spec.whole_input | spec.input)[self.port]


class _Readers:
    """Who reads which source; kept up to date while wires move."""

    def __init__(self, flat: Flat) -> None:
        self._flat = flat
        self._of: dict[str, dict[str, list[_Reader]]] = {}
        for node in flat.nodes.values():
            for kind, ports in (("input", node.inputs), ("exit", node.exits)):
                for port, sources in ports.items():
                    for source in dict.fromkeys(sources):
                        self._add(source, _Reader(node, kind, port))
            for name, source in node.wired.items():
                self._add(source, _Reader(node, "setting", name))
        for name, source in flat.outputs.items():
            self._add(source, _Reader(None, "output", name))

    def _add(self, source: Source, reader: _Reader) -> None:
        self._of.setdefault(source[0], {}).setdefault(source[1], []).append(reader)

    def of(self, source: Source) -> list[_Reader]:
        return self._of.get(source[0], {}).get(source[1], [])

    def sources(self, id: str) -> list[Source]:
        """The sources of a node that are read."""
        return [(id, port) for port in self._of.get(id, ())]

    def move(self, old: Source, new: Source | None) -> None:
        """Feed the readers of `old` from `new`, or take their wires away."""
        for reader in self._of.get(old[0], {}).pop(old[1], []):
            if reader.node is None:
                _put(self._flat.outputs, reader.port, new)
            elif reader.kind == "setting":
                _put(reader.node.wired, reader.port, new)
            else:
                ports = reader.node.exits if reader.kind == "exit" else reader.node.inputs
                moved = [new if source == old else source for source in ports[reader.port]]
                ports[reader.port] = [source for source in moved if source is not None]
                if not ports[reader.port]:
                    del ports[reader.port]
            if new is not None:
                self._add(new, reader)


def _put(wires: dict[str, Source], name: str, source: Source | None) -> None:
    if source is None:
        del wires[name]
    else:
        wires[name] = source


def _upstream_first(flat: Flat, nodes: list[FlatNode]) -> Iterator[FlatNode]:
    """The given nodes, each after those of them that feed it."""
    chosen = {node.id for node in nodes}
    done: set[str] = set()
    entered: set[str] = set()
    for start in nodes:
        stack = [start.id]
        while stack:
            id = stack[-1]
            if id in entered:
                stack.pop()
                if id not in done:
                    done.add(id)
                    yield flat.nodes[id]
                continue
            entered.add(id)
            stack += [source[0] for source in flat.nodes[id].sources() if source[0] in chosen - entered]


def _bypass(flat: Flat, node: FlatNode, readers: _Readers, types: Lattice) -> None:
    """Lead each connected output to the first unused connected input that fits it."""
    assert node.spec is not None
    free = [
        (port, source)
        for port in (*node.spec.takes, *node.spec.inputs)
        for source in node.inputs.get(port.name, ())
        if source[0] != node.id
    ]
    for output in (*node.spec.gives, *node.spec.outputs):
        old = (node.id, output.name)
        if not readers.of(old):
            continue
        found = next((pair for pair in free if _fits(flat, node, output, *pair, types)), None)
        if found is not None:
            free.remove(found)
        else:
            for reader in readers.of(old):
                if not reader.optional():
                    flat.error(
                        "E_BYPASS",
                        f"bypassed, but no connected input fits its output '{output.name}' ({output.type}), which "
                        f"{reader.where} needs",
                        node.id,
                        output.name,
                        "mute it, or wire its reader to another node",
                    )
        readers.move(old, found[1] if found else None)


def _fits(flat: Flat, node: FlatNode, output: PortSpec, port: PortSpec, source: Source, types: Lattice) -> bool:
    """Whether what arrives at an input may leave by an output."""
    giver = flat.nodes[source[0]]
    known = giver.spec.whole_output | giver.spec.output | giver.spec.entry if giver.spec else {}
    given = known.get(source[1])
    there, wanted = _known(giver, given), _known(node, output)
    info = types.get(output.ref.name)
    if any(there[name] != wanted[name] for name in there.keys() & wanted.keys() - set(info.told if info else ())):
        return False
    if "$" in output.type or "$" in port.type:
        same = parse(output.type).required() == parse(port.type).required()
        return same or ("$" not in output.type and _concrete(types, output, given))
    declared = port.ref.required()
    return (declared.name != "any" and accepts(types, output.ref, declared)) or _concrete(types, output, given)


def _concrete(types: Lattice, output: PortSpec, given: PortSpec | None) -> bool:
    return given is not None and "$" not in given.type and accepts(types, output.ref, given.ref)


def _known(node: FlatNode, port: PortSpec | None) -> dict[str, Any]:
    """Facts of a port that its declaration and the written settings tell."""
    if port is None or node.spec is None:
        return {}
    settings = {**node.spec.defaults, **node.settings}
    told = {}
    for name, fact in port.facts.items():
        if name == "weights" or not fact.keys() & {"literal", "setting"}:
            continue
        value = fact["literal"] if "literal" in fact else settings.get(fact["setting"], "auto")
        if value != "auto":
            told[name] = value
    return told


def _mute(flat: Flat, start: Iterable[str]) -> None:
    inside: dict[str, list[str]] = {}
    for node in flat.nodes.values():
        if node.parent is not None:
            inside.setdefault(node.parent, []).append(node.id)
    readers = _Readers(flat)
    queue = list(start)
    while queue:
        batch: dict[str, None] = {}
        while queue:
            id = queue.pop()
            if id not in flat.muted:
                flat.muted.add(id)
                batch[id] = None
                queue += inside.get(id, ())
        for id in batch:
            for source in readers.sources(id):
                queue += _cut(flat, readers, source)
    for id in flat.muted:
        _remove(flat, id)


def _remove(flat: Flat, id: str) -> None:
    node = flat.nodes.pop(id)
    flat.idle.update(source[0] for source in (*node.sources(), *node.exit_sources()))


def _cut(flat: Flat, readers: _Readers, source: Source) -> Iterator[str]:
    """Take the wires of a muted source away; gives the readers that are muted with it."""
    reading = list(readers.of(source))
    readers.move(source, None)
    for reader in reading:
        if reader.node is None:
            flat.warn("W_MUTED", f"output '{reader.port}' is gone: '{source[0]}' is muted", source[0], source[1])
        elif reader.node.id not in flat.muted and reader.needs_more():
            message, hint = f"muted too: it needs {'.'.join(source)}, which is muted", f"unmute '{source[0]}'"
            flat.warn("W_MUTED", message, reader.node.id, reader.port, f"{hint}, or connect something else")
            yield reader.node.id
