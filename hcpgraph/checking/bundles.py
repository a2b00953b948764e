"""Bundles: a wire that stands for several, such as a model, becomes one wire a part (docs/adr/022-bundles.md).

Everything that comes after this pass sees parts: types, facts, weights, keys and order follow each of them. What a node
does not change of a bundle is wired past it. Only where a bundle is needed as one value, in a list or in a region's
entries, a node is put in that makes one of its parts, or takes one apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..declaring.registry import Registry
from ..declaring.spec import NodeSpec, PortSpec
from ..types import TypeInfo, TypeRef, accepts
from .bundle_types import has_bundles, sources_of_bundles
from .flat import Flat, FlatNode, Source, owns
from .order import BEGIN, Order, sort

Parts = dict[str, Source]
Resolve = Callable[[str], Path]


def expand(flat: Flat, registry: Registry, resolve: Resolve) -> None:
    """Replace the wires of bundles by wires of their parts.

    What a bundle lacks and a port needs is E_BUNDLE_PART.

    Args:
        flat: Is changed.
        registry: Node types, port types, and the probes that say what a node changes.
        resolve: Turns `root:relative` into a path, for probes.
    """
    if not has_bundles(flat, registry):
        return
    order = sort(replace(flat, problems=[]))
    bundles = sources_of_bundles(flat, order, registry.types)
    if not bundles:
        return
    flat.bundles = bundles
    _Expansion(flat, registry, resolve).go(order)


def _split(name: str) -> Source:
    id, _, port = name.rpartition(".")
    return id, port


class _Expansion:
    """The pass over all nodes, givers first.

    Attributes:
        of: Source of a bundle -> the source of each of its parts.
        values: Sources that give a bundle as one value.
        waiting: Nodes that are put in once something reads them, by id.
        joins: Where a bundle was made one value already.
        unread: Nodes that join or take apart, and that nobody needs as all their parts come from elsewhere.
        apart: Outputs of nodes that take bundles apart -> the bundle, the part, and its source if it has one.
    """

    def __init__(self, flat: Flat, registry: Registry, resolve: Resolve) -> None:
        self.flat = flat
        self.registry = registry
        self.resolve = resolve
        self.of: dict[Source, Parts] = {}
        self.values: set[Source] = set()
        self.waiting: dict[str, FlatNode] = {}
        self.copied: dict[str, list[str]] = {}
        self.joins: dict[tuple[Source, str | None], Source] = {}
        self.apart: dict[Source, tuple[Source, str, Source | None]] = {}
        self.unread: dict[str, Parts] = {}

    def go(self, order: Order) -> None:
        flat = self.flat
        circles = flat.nodes.keys() - {id for id, _ in order.sorted}
        for id, part in order.sorted:
            node = flat.nodes[id]
            if node.spec is None:
                self._whole_inputs(node)
                continue
            if part == BEGIN:
                self._begin(node, node.spec)
            if part != BEGIN or not owns(node):
                if node.spec.exits:
                    self._exits(node, node.spec)
                self._given(node, node.spec)
        for id in circles:
            self._whole_inputs(flat.nodes[id])
        self._leave()

    # Reading

    def _begin(self, node: FlatNode, spec: NodeSpec) -> None:
        if self._taken_apart(node, spec):
            return
        for port in spec.takes:
            sources = node.inputs.pop(port.name, None)
            if sources:
                self._spread(node, spec, port, sources[0])
        node.wired = {name: self._whole(source, node.parent, node.id) for name, source in node.wired.items()}
        variables: dict[str, list[PortSpec]] = {}
        for port in spec.inputs:
            if any(source in self.flat.bundles for source in node.inputs.get(port.name, ())):
                if port.ref.variable and not port.many and not owns(node):
                    variables.setdefault(port.ref.name, []).append(port)
                else:
                    self._plain(node, port)
        for name, ports in variables.items():
            self._variable(node, spec, name, ports)
        node.inputs = self._past_splits(node, node.inputs)

    def _taken_apart(self, node: FlatNode, spec: NodeSpec) -> bool:
        """Whether a node takes a bundle apart whose parts are known: then nobody needs it."""
        if not any(info.split == node.type for info in self.registry.types.values()):
            return False
        sources = node.inputs.get(spec.inputs[0].name, ())
        if sources and (kind := self.flat.bundles.get(sources[0])):
            parts = self._parts(sources[0])
            names = self.registry.types[kind].parts
            self.apart |= {(node.id, part): (sources[0], part, parts.get(part)) for part in names}
            self.unread[node.id] = {part: source for part, source in parts.items() if part in names}
            return True
        return False

    def _past_splits(self, node: FlatNode, ports: dict[str, list[Source]]) -> dict[str, list[Source]]:
        """Wires from a node that takes a bundle apart come from where the part does."""
        if not self.apart:
            return ports
        moved: dict[str, list[Source]] = {}
        for name, sources in ports.items():
            for source in sources:
                whole, part, found = self.apart.get(source, (source, "", source))
                if found is None:
                    self._lacks(node, name, whole, part)
                else:
                    moved.setdefault(name, []).append(self._use(found))
        return moved

    def _spread(self, node: FlatNode, spec: NodeSpec, port: PortSpec, source: Source) -> None:
        """A port that stands for others: each gets its part, unless something is wired to it."""
        if source not in self.flat.bundles:
            message = f"takes {port.type}, but {'.'.join(source)} gives something else"
            hint = f"wire a {port.type} to it, or a part of one to {', '.join(port.parts.values())}"
            self.flat.error("E_TYPE", message, node.id, port.name, hint)
            return
        parts = self._parts(source)
        for part, own in port.parts.items():
            if own in node.inputs:
                continue
            if part in parts:
                node.inputs[own] = [self._use(parts[part])]
            elif not spec.input[own].optional:
                self._lacks(node, own, source, part)

    def _plain(self, node: FlatNode, port: PortSpec) -> None:
        """A port of a fixed type: of a bundle it gets the part of its type, or all of it."""
        sources = node.inputs.pop(port.name)
        found = [self._fitting(node, port, source) for source in sources]
        if kept := [source for source in found if source is not None]:
            node.inputs[port.name] = kept

    def _fitting(self, node: FlatNode, port: PortSpec, source: Source, parent: str | None = None) -> Source | None:
        kind = self.flat.bundles.get(source)
        if kind is None:
            return source
        info = self.registry.types[kind]
        wanted = [part for part, type in info.parts.items() if type == port.ref.required().name]
        if not wanted:
            return self._whole(source, parent or node.parent, node.id)
        found = self._parts(source).get(wanted[0])
        if found is None:
            self._lacks(node, port.name, source, wanted[0])
            return None
        return self._use(found)

    def _lacks(self, node: FlatNode, port: str, source: Source, part: str) -> None:
        message = f"needs the {part} of {'.'.join(source)}, and that has none"
        join = self.registry.types[self.flat.bundles[source]].join
        self.flat.error("E_BUNDLE_PART", message, node.id, port, f"put one to it with {join}")

    def _variable(self, node: FlatNode, spec: NodeSpec, name: str, ports: list[PortSpec]) -> None:
        """Ports of one variable, which binds the whole: the node changes some parts, or is there once a part."""
        sources = [node.inputs[port.name][0] for port in ports]
        kinds = {self.flat.bundles.get(source) for source in sources}
        everything = [port for port in spec.inputs if port.ref.required().name == name and port.name in node.inputs]
        outputs = [port for port in spec.outputs if port.ref.required().name == name]
        if len(kinds) > 1 or None in kinds or len(everything) > len(ports):
            for port, source in zip(ports, sources, strict=True):
                node.inputs[port.name] = [self._whole(source, node.parent, node.id)]
            return
        info = self.registry.types[self.flat.bundles[sources[0]]]
        bound = ports[0].ref.required().bound
        could = [part for part, type in info.parts.items() if bound is None or self._fits(bound, type)]
        passes = spec.changes is None and len(could) > 1 and len(outputs) == len(spec.outputs) > 0
        if passes and not {"random", "resource", "state", "write"} & set(spec.effects):
            self._copies(node, ports, sources, outputs, could)
        elif len(ports) > 1:
            for port, source in zip(ports, sources, strict=True):
                node.inputs[port.name] = [self._whole(source, node.parent, node.id)]
        else:
            self._changed(node, spec, ports[0], sources[0], outputs, could, info)

    def _fits(self, bound: TypeRef, kind: str) -> bool:
        return accepts(self.registry.types, bound, TypeRef(kind))

    def _changed(
        self,
        node: FlatNode,
        spec: NodeSpec,
        port: PortSpec,
        source: Source,
        outputs: list[PortSpec],
        could: list[str],
        info: TypeInfo,
    ) -> None:
        """The node gets the parts that it changes; the others are wired past it."""
        parts = self._parts(source)
        told = self._changes(node, spec)
        for part in told or ():
            if part not in parts:
                self._lacks(node, port.name, source, part)
        touched = [part for part in could if part in (could if told is None else told) and part in parts]
        if not touched:
            del node.inputs[port.name]
            return
        if len(touched) == 1:
            (only,) = touched
            node.inputs[port.name] = [self._use(parts[only])]
            for output in outputs:
                self.of[(node.id, output.name)] = {**parts, only: (node.id, output.name)}
            return
        node.inputs[port.name] = [self._join(f"{node.id}/parts", info, {p: parts[p] for p in touched}, node.parent)]
        for output in outputs:
            apart = self._split((node.id, output.name), info, node.parent)
            self.of[(node.id, output.name)] = {**parts, **{part: apart[part] for part in touched}}

    def _changes(self, node: FlatNode, spec: NodeSpec) -> tuple[str, ...] | None:
        """The parts that a node changes; None where that is not known."""
        if not isinstance(spec.changes, Mapping):
            return spec.changes
        prober = self.registry.probers.get(spec.changes["probe"])
        if prober is None or node.wired:
            return None
        try:
            found = prober({**spec.defaults, **node.settings}, self.resolve)
        except Exception:
            return None
        return None if found is None else tuple(found)

    def _copies(
        self, node: FlatNode, ports: list[PortSpec], sources: list[Source], outputs: list[PortSpec], could: list[str]
    ) -> None:
        """The node stands there once a part that it could take; those that nobody reads are not made."""
        every = [self._parts(source) for source in sources]
        self.copied[node.id] = []
        common = [part for part in every[0] if all(part in parts for parts in every)]
        made = {part: every[0][part] for part in common if all(parts[part] == every[0][part] for parts in every)}
        for part in common:
            if part not in could:
                continue
            id = f"{node.id}/{part}"
            inputs = {**node.inputs, **{p.name: [parts[part]] for p, parts in zip(ports, every, strict=True)}}
            self.waiting[id] = replace(node, id=id, inputs=inputs, settings=dict(node.settings))
            self.copied[node.id].append(id)
            made[part] = (id, outputs[0].name)
        for output in outputs:
            self.of[(node.id, output.name)] = {
                part: (source[0], output.name) if source[0] in self.waiting and part in could else source
                for part, source in made.items()
            }

    def _exits(self, node: FlatNode, spec: NodeSpec) -> None:
        for port in spec.exits:
            found = [self._fitting(node, port, source, node.id) for source in node.exits.pop(port.name, ())]
            if kept := [source for source in found if source is not None]:
                node.exits[port.name] = kept
        node.exits = self._past_splits(node, node.exits)

    def _whole_inputs(self, node: FlatNode) -> None:
        """A node of which nothing is known, or that lies on a circle."""
        for name in [name for name, sources in node.inputs.items() if any(s in self.flat.bundles for s in sources)]:
            if node.spec is not None and name in node.spec.whole_input:
                del node.inputs[name]
                continue
            node.inputs[name] = [self._whole(source, node.parent, node.id) for source in node.inputs[name]]

    # Giving

    def _given(self, node: FlatNode, spec: NodeSpec) -> None:
        for whole in spec.gives:
            self.of[(node.id, whole.name)] = {part: (node.id, own) for part, own in whole.parts.items()}
        for port in (*spec.entries, *spec.outputs):
            source = (node.id, port.name)
            kind = self.flat.bundles.get(source)
            if kind is None:
                continue
            info = self.registry.types[kind]
            if node.type == info.join:
                self.of[source] = {part: node.inputs[part][0] for part in info.parts if node.inputs.get(part)}
                self.unread[node.id] = self.of[source]
            elif source not in self.of:
                self.values.add(source)

    def _parts(self, source: Source) -> Parts:
        if source not in self.of:
            node = self.flat.nodes[source[0]]
            inside = owns(node) and node.spec is not None and source[1] in node.spec.entry
            info = self.registry.types[self.flat.bundles[source]]
            self.of[source] = self._split(source, info, node.id if inside else node.parent)
        return self.of[source]

    def _split(self, source: Source, info: TypeInfo, parent: str | None) -> Parts:
        """Sources of the parts of a bundle that is one value; the node that takes it apart is made when one is read."""
        id = f"{source[0]}/{source[1]}"
        spec = self.registry.find(info.split)
        assert spec is not None
        self.waiting[id] = FlatNode(
            id, spec.id, spec.version, spec, {}, parent, id, inputs={spec.inputs[0].name: [source]}
        )
        return {part: (id, part) for part in info.parts}

    def _join(self, id: str, info: TypeInfo, parts: Parts, parent: str | None) -> Source:
        spec = self.registry.find(info.join)
        assert spec is not None
        inputs = {part: [self._use(source)] for part, source in parts.items()}
        self._put(FlatNode(id, spec.id, spec.version, spec, dict(spec.defaults), parent, id, inputs=inputs))
        return id, spec.outputs[0].name

    def _whole(self, source: Source, parent: str | None, near: str) -> Source:
        """A bundle as one value."""
        kind = self.flat.bundles.get(source)
        if kind is None:
            return source
        if source in self.values:
            return source
        giver = self.flat.nodes.get(source[0])
        if giver is not None and giver.spec is not None and giver.type == self.registry.types[kind].join:
            self.unread.pop(giver.id, None)
            return source
        if (source, parent) not in self.joins:
            id = f"{near}/{source[0].replace('/', '-')}-{source[1]}"
            id += "-inside" * (id in self.flat.nodes)
            self.joins[(source, parent)] = self._join(id, self.registry.types[kind], self._parts(source), parent)
        return self.joins[(source, parent)]

    def _use(self, source: Source) -> Source:
        """A source that is read: the node that gives it is put in, with all that it stands on."""
        stack = [source[0]]
        while stack:
            node = self.waiting.pop(stack.pop(), None)
            if node is not None:
                self._put(node)
                stack += [first for sources in node.inputs.values() for first, _ in sources]
        return source

    def _put(self, node: FlatNode) -> None:
        assert node.id not in self.flat.nodes
        self.flat.nodes[node.id] = node
        self.flat.children[node.parent].append(node.id)

    # Leaving

    def _leave(self) -> None:
        """Outputs of the graph are whole; of a node that nobody reads every copy is there."""
        flat = self.flat
        flat.outputs = {name: self._whole(source, None, f"={name}") for name, source in flat.outputs.items()}
        flat.bundles |= {_split(name): flat.bundles[s] for name, s in flat.exports.items() if s in flat.bundles}
        flat.exports = {name: source for name, source in flat.exports.items() if source not in flat.bundles}
        for id, copies in self.copied.items():
            if not any(copy in flat.nodes for copy in copies):
                for copy in copies:
                    self._use((copy, ""))
            made = [copy for copy in copies if copy in flat.nodes]
            port = self._first(flat.nodes[id])
            self._replaced(id, {copy.rpartition("/")[2]: (copy, port) for copy in made})
        for id, parts in self.unread.items():
            self._replaced(id, {part: source for part, source in parts.items() if source[0] in flat.nodes})

    def _replaced(self, id: str, parts: Parts) -> None:
        """A node is gone, and stands for where its parts come from, as the instance of a subgraph does."""
        node = self.flat.nodes.pop(id)
        self.flat.children[node.parent].remove(id)
        self.flat.instances[id] = node.type
        self.flat.exports |= {f"{id}.{part}": source for part, source in parts.items()}

    def _first(self, node: FlatNode) -> str:
        assert node.spec is not None
        return node.spec.outputs[0].name
