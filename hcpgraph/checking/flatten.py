"""The graph as the engine sees it: subgraphs inlined, mute and bypass resolved, wires by port.

`Flat` holds numbered vertices: a node is one vertex, the owner of a region two (begin, end), so that one iterative
sort orders everything and finds every cycle (DESIGN §5.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..declaring.registry import Registry
from ..declaring.spec import PortSpec
from ..document.graph import Drawing, Graph
from ..errors import did_you_mean
from .flat import MAX_FLAT, Flat, FlatNode, Source
from .mute_bypass import resolve

MAX_DEPTH = 32


def flatten(graph: Graph, registry: Registry) -> Flat:
    """Inline subgraphs, resolve mute and bypass, sort wires into inputs, settings and exits.

    Subgraphs of subgraphs may multiply to more than can be looked at: then the error is all there is.
    """
    flat = Flat()
    wires: dict[str, str] = {}
    space = _Space(flat, graph, [_Frame(graph, "", "", None, (), None, {})])
    if not _inline(space, registry, wires):
        return Flat(problems=flat.problems[-1:])
    targets, sources = space.targets, space.sources
    flat.exports = {port: _split(_follow(sources, port)) for port in sources}
    _prune_regions(flat)
    _connect(flat, wires)
    for name, source in graph.interface.outputs.items():
        if (origin := _origin(flat, _follow(sources, source), f"interface.{name}")) is not None:
            flat.outputs[name] = origin
    for target in chain.from_iterable(graph.interface.inputs.values()):
        for inner in _expand(targets, target):
            _endpoint(flat, inner)
    _resolve_modes(flat, registry)
    for node in flat.nodes.values():
        flat.children[node.parent].append(node.id)
    return flat


@dataclass(slots=True)
class _Frame:
    """A body that is being inlined: where its ids and streams start, its region, what was promoted into it."""

    body: Drawing
    prefix: str
    streams: str
    parent: str | None
    names: tuple[str, ...]
    mode: str | None
    given: Mapping[str, Any]


@dataclass(slots=True)
class _Space:
    """Where all bodies are copied to.

    Attributes:
        stack: Bodies that wait for it.
        targets, sources: What instances show to the outside -> what it stands for.
    """

    flat: Flat
    graph: Graph
    stack: list[_Frame]
    targets: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def _inline(space: _Space, registry: Registry, wires: dict[str, str]) -> bool:
    """Copy nodes and wires of all bodies into one space; False if there are too many."""
    flat = space.flat
    pending: list[tuple[str, str]] = []
    while space.stack:
        frame = space.stack.pop()
        prefix = frame.prefix
        promoted = {
            f"{prefix}{target}": value
            for name, value in frame.given.items()
            for target in frame.body.interface.inputs.get(name, ())
        }
        for id, entry in frame.body.nodes.items():
            full = prefix + id
            parent = prefix + entry.inside if entry.inside is not None else frame.parent
            if entry.inside is not None and entry.inside not in frame.body.nodes:
                flat.error("E_REGION_UNKNOWN", f"'in' names '{entry.inside}', which is no node here", full,
                           hint=did_you_mean(entry.inside, frame.body.nodes, "nodes"))  # fmt: skip
                parent = frame.parent
            elif entry.inside is not None and frame.body.nodes[entry.inside].graph is not None:
                flat.error("E_REGION_OWNER", f"'{entry.inside}' is a subgraph and owns no region", full,
                           hint="a region lies whole inside one graph: draw the node in the subgraph")  # fmt: skip
                parent = frame.parent
            if len(flat.nodes) + len(flat.instances) >= MAX_FLAT:
                flat.error("E_TOO_MANY_NODES", f"more than {MAX_FLAT} nodes after opening all subgraphs", full)
                return False
            settings = dict(entry.settings)
            mode = frame.mode or entry.mode
            if entry.type.startswith("graph:"):
                _enter(space, frame, id, entry, parent, mode, promoted)
                continue
            for name in [key for key in promoted if key.startswith(f"{full}.")]:
                settings[name[len(full) + 1 :]] = promoted[name]
            flat.nodes[full] = FlatNode(
                full,
                entry.type,
                entry.version,
                registry.find(entry.type),
                settings,
                parent,
                _stream(frame, entry.stream or id),
                mode,
            )
        pending += [(prefix + target, prefix + source) for target, source in frame.body.edges.items()]
    for target, source in pending:
        source = _follow(space.sources, source)
        for inner in _expand(space.targets, target):
            if inner in wires:
                id, port = _split(inner)
                message = f"'{inner}' is fed twice: from {wires[inner]} and, through a subgraph, from {source}"
                hint = "take the wire inside of the subgraph away, or do not promote the port"
                flat.error("E_EDGE_TWICE", message, id, port, hint)
            wires[inner] = source
    return True


def _enter(
    space: _Space,
    frame: _Frame,
    id: str,
    entry: Any,
    parent: str | None,
    mode: str | None,
    promoted: Mapping[str, Any],
) -> None:
    flat, graph = space.flat, space.graph
    name, full = entry.type[len("graph:") :], frame.prefix + id
    body = graph.graphs.get(name)
    if body is None:
        hint = did_you_mean(name, graph.graphs, "subgraphs")
        flat.error("E_GRAPH_UNKNOWN", f"there is no subgraph '{name}'", full, hint=hint)
        return
    if name in frame.names or len(frame.names) >= MAX_DEPTH:
        path = " -> ".join((*frame.names, name))
        flat.error("E_GRAPH_RECURSIVE", f"a subgraph contains itself: {path}", full, hint="use flow.repeat for a loop")
        return
    if mode == "bypass":
        flat.error("E_MODE", "a subgraph can be muted, not bypassed", full, hint="bypass nodes inside of it")
    flat.instances[full] = name
    given = dict(entry.settings)
    given |= {key[len(full) + 1 :]: value for key, value in promoted.items() if key.startswith(f"{full}.")}
    for setting in given:
        if setting not in body.interface.inputs:
            flat.error("E_SETTING_UNKNOWN", f"subgraph '{name}' promotes no '{setting}'", full, setting,
                       did_you_mean(setting, body.interface.inputs, "promoted names"))  # fmt: skip
    inner = f"{full}/"
    for port, inside in body.interface.inputs.items():
        space.targets[f"{full}.{port}"] = [inner + target for target in inside]
    for port, source in body.interface.outputs.items():
        space.sources[f"{full}.{port}"] = inner + source
    streams = f"{_stream(frame, entry.stream or id)}/"
    space.stack.append(
        _Frame(body, inner, streams, parent, (*frame.names, name), mode if mode == "mute" else None, given)
    )


def _split(source: str) -> Source:
    node, _, port = source.rpartition(".")
    return node, port


def _stream(frame: _Frame, name: str) -> str:
    """A random stream of a body; `@name` is `name` wherever the body stands, so that collapsing keeps the draws."""
    return name[1:] if name.startswith("@") else frame.streams + name


def _follow(sources: Mapping[str, str], source: str) -> str:
    for _ in range(MAX_DEPTH + 1):
        if source not in sources:
            break
        source = sources[source]
    return source


def _expand(targets: Mapping[str, list[str]], target: str) -> list[str]:
    """The real targets behind a wire to `instance.port` or `instance.port.K`."""
    if not targets:
        return [target]
    found, queue = [], [target]
    while queue:
        name = queue.pop()
        bare, _, index = name.rpartition(".")
        if name in targets:
            queue += targets[name]
        elif index.isdigit() and bare in targets:
            queue += [f"{inner}.{index}" for inner in targets[bare]]
        else:
            found.append(name)
    return found


def _prune_regions(flat: Flat) -> None:
    """A node whose owner owns nothing, or whose owners form a ring, is put outside, with an error."""
    for node in flat.nodes.values():
        owner = flat.nodes.get(node.parent) if node.parent else None
        if node.parent and owner is None:
            node.parent = None
        elif owner is not None and owner.spec is not None and not owner.spec.body:
            owners = [n.id for n in flat.nodes.values() if n.spec is not None and n.spec.body]
            flat.error("E_REGION_OWNER", f"'{node.parent}' ({owner.type}) owns no region", node.id,
                       hint=f"regions here: {', '.join(owners) or 'none'}")  # fmt: skip
            node.parent = None
    settled: set[str | None] = {None}
    for start in flat.nodes:
        walked: list[str] = []
        at: str | None = start
        while at not in settled and at not in walked:
            assert at is not None
            walked.append(at)
            at = flat.nodes[at].parent
        if at in walked:
            ring = " -> ".join([*walked[walked.index(at) :], str(at)])
            flat.error("E_REGION_CYCLE", f"regions contain each other: {ring}", at, hint="move one of them outside")
            for id in walked:
                flat.nodes[id].parent = None
        settled.update(walked)


def _connect(flat: Flat, wires: Mapping[str, str]) -> None:
    lists: dict[tuple[str, str, bool], dict[int, Source]] = {}
    for target, source in wires.items():
        place = _endpoint(flat, target)
        origin = _origin(flat, source, target)
        if place is None or origin is None:
            continue
        node, port, index, kind, spec = place
        if kind == "setting" and index is None:
            node.wired[port] = origin
            continue
        many = spec.many if spec is not None else index is not None and kind != "setting"
        if many != (index is not None):
            flat.error("E_EDGE_LIST", f"'{port}' takes {'a list of wires' if many else 'one wire'}", node.id, port,
                       f"write {node.id}.{port}{'.0' if many else ''}")  # fmt: skip
            continue
        into = node.exits if kind == "exit" else node.inputs
        if index is None:
            into[port] = [origin]
        else:
            lists.setdefault((node.id, port, kind == "exit"), {})[index] = origin
    for (id, port, is_exit), found in lists.items():
        node = flat.nodes[id]
        (node.exits if is_exit else node.inputs)[port] = [found[i] for i in sorted(found)]


def _endpoint(flat: Flat, target: str) -> tuple[FlatNode, str, int | None, str, PortSpec | None] | None:
    """(node, port, list index, "input" | "exit" | "setting", its spec) of a target; None after reporting a problem."""
    id, _, port = target.partition(".")
    port, _, index = port.partition(".")
    node = flat.nodes.get(id)
    if node is None:
        if id in flat.instances:
            message = f"a wire ends at '{port}', which subgraph '{flat.instances[id]}' does not promote"
            flat.error("E_PORT_UNKNOWN", message, id, port, "add it to the subgraph's interface.inputs")
        else:
            flat.error("E_NODE_UNKNOWN", f"a wire ends at '{target}', but there is no node '{id}'", id, port,
                       did_you_mean(id, flat.nodes, "nodes"))  # fmt: skip
        return None
    number = int(index) if index.isdigit() else None
    spec = node.spec
    if spec is None:
        return node, port, number, "input", None
    known_inputs = spec.whole_input | spec.input
    if port in known_inputs:
        return node, port, number, "input", known_inputs[port]
    if port in spec.exit:
        return node, port, number, "exit", spec.exit[port]
    if port in spec.settings:
        return node, port, number, "setting", None
    known = [*known_inputs, *spec.exit, *spec.settings]
    given = {*spec.whole_output, *spec.output, *spec.entry}
    what = "an output, not an input" if port in given else "not there"
    flat.error("E_PORT_UNKNOWN", f"a wire ends at '{port}' of {node.type}, which is {what}", id, port,
               did_you_mean(port, known, "inputs"))  # fmt: skip
    return None


def _origin(flat: Flat, source: str, target: str) -> Source | None:
    id, _, port = source.partition(".")
    node = flat.nodes.get(id)
    at, _, at_port = target.partition(".")
    if node is None and id in flat.instances:
        message = f"a wire comes from '{source}', which subgraph '{flat.instances[id]}' does not give out"
        flat.error("E_PORT_UNKNOWN", message, at, at_port, "add it to the subgraph's interface.outputs")
        return None
    if node is None:
        flat.error("E_NODE_UNKNOWN", f"a wire comes from '{source}', but there is no node '{id}'", at, at_port,
                   did_you_mean(id, flat.nodes, "nodes"))  # fmt: skip
        return None
    known = [*node.spec.whole_output, *node.spec.output, *node.spec.entry] if node.spec is not None else [port]
    if port not in known:
        message = f"a wire comes from '{source}', but {node.type} has no output '{port}'"
        flat.error("E_PORT_UNKNOWN", message, at, at_port, did_you_mean(port, known, "outputs"))
        return None
    return id, port


def _resolve_modes(flat: Flat, registry: Registry) -> None:
    """Take muted and bypassed nodes out (DESIGN §4)."""
    if not any(node.mode for node in flat.nodes.values()):
        return

    resolve(flat, registry)
