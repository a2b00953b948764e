"""The graph that users build and change: every edit checks its arguments, and what it leaves can be saved."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError

from ..atomic import write_bytes
from ..errors import GraphErrors, Problem, did_you_mean
from . import canonical
from .fileformat import (
    ID,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    SOURCE,
    TARGET,
    Body,
    GraphFile,
    Id,
    Mode,
    NodeEntry,
    gaps,
    malformed,
    matches,
    problems_in,
    split_target,
)

if TYPE_CHECKING:
    from ..declaring.spec import NodeSpec

_SETTING_DEPTH = MAX_DEPTH - 6


class Drawing(Body):
    """A body that can be edited; the same methods work on a graph and on its subgraphs."""

    def add(
        self,
        type: str,
        id: str | None = None,
        *,
        inside: str | None = None,
        mode: Mode | None = None,
        stream: str | None = None,
        title: str | None = None,
        version: int | None = None,
        settings: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Add a node and return its id; without an id, a free one is made from the type.

        Settings are given by name, or as a dict where a name is taken by one of these parameters; the version is that
        of the installed packs, or 1.

        Raises:
            GraphErrors: the id is taken or malformed, the region is unknown, a setting is not JSON.
        """
        name = self._free_id(type) if id is None else id
        _require(ID, name)
        if name in self.nodes:
            raise GraphErrors.one("E_ID", f"there is already a node '{name}'", node=name)
        if inside is not None:
            self._node(inside)
        if len(self.nodes) >= MAX_NODES:
            raise GraphErrors.one("E_TOO_MANY_NODES", f"a graph has at most {MAX_NODES} nodes", node=name)
        spec = _installed(type) if version is None else None
        values = {setting: _plain(value, name, setting) for setting, value in {**(settings or {}), **more}.items()}
        raw = {
            "type": type,
            "version": version if version is not None else 1 if spec is None else spec.version,
            "in": inside,
            "mode": mode,
            "stream": stream,
            "title": title,
            "settings": values,
        }
        try:
            entry = NodeEntry.model_validate(raw)
        except ValidationError as error:
            raise GraphErrors(
                Problem(found.code, found.message, name, hint=found.hint)
                for found in problems_in(error, NodeEntry, raw)
            ) from None
        self.nodes[name] = entry
        return name

    def connect(self, source: str, target: str, many: bool | None = None) -> str:
        """Wire `node.port` to `node.port` and return the full target; what fed the target before is replaced.

        A bare list port appends: `train.loss` becomes `train.loss.2`.

        Args:
            source: An output, or an entry of a region.
            target: An input, a setting, or an exit of a region.
            many: Whether the target is a list port; None asks the installed packs.

        Raises:
            GraphErrors: a name is malformed, a node is unknown, an index leaves a gap.
        """
        _require(SOURCE, source)
        _require(TARGET, target)
        self._node(split_target(source)[0])
        node, port, index = split_target(target)
        entry = self._node(node)
        bare = f"{node}.{port}"
        taken = self._list_size(bare)
        if index is None and (taken or (many if many is not None else _is_list(entry.type, port))):
            index = taken
        if index is not None and index > taken:
            hint = f"the next place is '{bare}.{taken}'"
            raise GraphErrors.one("E_EDGE", f"'{target}' leaves a gap", node=node, port=port, hint=hint)
        if index is not None and bare in self.edges:
            hint = f"disconnect '{bare}' first"
            raise GraphErrors.one("E_EDGE", f"'{bare}' is wired as one port", node=node, port=port, hint=hint)
        target = bare if index is None else f"{bare}.{index}"
        self.edges[target] = source
        return target

    def disconnect(self, target: str) -> None:
        """Remove the wire that ends at `node.port` or `node.port.2`; the wires behind it in a list move up.

        Raises:
            GraphErrors: there is no such wire.
        """
        _require(TARGET, target)
        if target not in self.edges:
            node, port, _ = split_target(target)
            self._node(node)
            wired = [other for other in self.edges if split_target(other)[0] == node]
            hint = did_you_mean(target, wired, "wires")
            raise GraphErrors.one("E_EDGE", f"nothing is wired to '{target}'", node=node, port=port, hint=hint)
        del self.edges[target]
        self.close_gaps()

    def remove(self, id: str, *, with_inside: bool = False) -> None:
        """Remove a node and everything that names it: wires, interface, view.

        Raises:
            GraphErrors: the node is unknown, or nodes live in it and `with_inside` is not set.
        """
        self._node(id)
        gone = {id, *self._inside(id)}
        if len(gone) > 1 and not with_inside:
            names = ", ".join(sorted(gone - {id})[:12])
            hint = "move them out, or remove them too: with_inside=True"
            raise GraphErrors.one("E_REGION", f"nodes live in '{id}': {names}", node=id, hint=hint)
        for name in gone:
            del self.nodes[name]
            self.view.nodes.pop(name, None)
        self.edges = {
            target: source
            for target, source in self.edges.items()
            if _owner(target) not in gone and _owner(source) not in gone
        }
        face = self.interface
        kept = {
            name: [target for target in targets if _owner(target) not in gone] for name, targets in face.inputs.items()
        }
        face.inputs = {name: targets for name, targets in kept.items() if targets}
        face.outputs = {name: source for name, source in face.outputs.items() if _owner(source) not in gone}
        self.close_gaps()

    def rename(self, old: str, new: str) -> None:
        """Give a node another id; its random stream keeps the old one, so that its draws stay the same.

        Raises:
            GraphErrors: the node is unknown, the new id is taken or malformed.
        """
        entry = self._node(old)
        if new == old:
            return
        _require(ID, new)
        if new in self.nodes:
            raise GraphErrors.one("E_ID", f"there is already a node '{new}'", node=new)
        stream = entry.stream or old
        entry.stream = None if stream == new else stream
        self.nodes = {new if name == old else name: node for name, node in self.nodes.items()}
        for node in self.nodes.values():
            if node.inside == old:
                node.inside = new
        if old in self.view.nodes:
            self.view.nodes[new] = self.view.nodes.pop(old)
        self.rename_ports(lambda port: new + port[len(old) :] if _owner(port) == old else port)

    def move_into(self, id: str, owner: str | None) -> None:
        """Put a node into a region, or with None outside of every region.

        Raises:
            GraphErrors: a node is unknown, or the region would come to lie inside itself.
        """
        entry = self._node(id)
        if owner is not None:
            self._node(owner)
            if owner == id or owner in self._inside(id):
                raise GraphErrors.one("E_REGION", f"'{id}' cannot live inside itself", node=id)
        entry.inside = owner

    def set(self, setting: str, value: Any) -> None:
        """Set `node.setting` to a JSON value.

        Raises:
            GraphErrors: the node is unknown, the setting is malformed, the value is not JSON.
        """
        _require(SOURCE, setting)
        node, name, _ = split_target(setting)
        self._node(node).settings[name] = _plain(value, node, name)

    def close_gaps(self) -> None:
        """Number the wires of every list port 0 … n-1."""
        moved = gaps(self.edges, self.interface.inputs)
        if moved:
            self.rename_ports(lambda port: moved.get(port, port))

    def rename_ports(self, renamed: Callable[[str], str]) -> None:
        """Give other names to targets and sources, in the wires and in the interface."""
        self.edges = {renamed(target): renamed(source) for target, source in self.edges.items()}
        face = self.interface
        face.inputs = {name: [renamed(target) for target in targets] for name, targets in face.inputs.items()}
        face.outputs = {name: renamed(source) for name, source in face.outputs.items()}

    def _node(self, id: str) -> NodeEntry:
        entry = self.nodes.get(id)
        if entry is None:
            hint = did_you_mean(id, self.nodes, "nodes")
            raise GraphErrors.one("E_NODE_UNKNOWN", f"there is no node '{id}'", node=id, hint=hint)
        return entry

    def _free_id(self, type: str) -> str:
        last = re.split(r"[.:]", type)[-1]
        base = re.sub(r"[^A-Za-z0-9_-]", "_", last)[:56] or "node"
        base = base if matches(ID, base) else f"_{base}"
        names = (base if number == 1 else f"{base}_{number}" for number in count(1))
        return next(name for name in names if name not in self.nodes)

    def _inside(self, id: str) -> frozenset[str]:
        """Every node that lives in a region, however deep."""
        found: frozenset[str] = frozenset()
        fresh = frozenset({id})
        while fresh:
            fresh = frozenset(n for n, node in self.nodes.items() if node.inside in fresh) - found - {id}
            found |= fresh
        return found

    def _list_size(self, bare: str) -> int:
        promoted = frozenset(chain.from_iterable(self.interface.inputs.values()))
        targets = ((place, f"{bare}.{place}") for place in count())
        return next(place for place, target in targets if target not in self.edges and target not in promoted)


class Graph(Drawing, GraphFile):
    """A graph file in memory, which can be edited."""

    graphs: dict[Id, Drawing] = Field(default_factory=dict)

    def set(self, setting: str, value: Any) -> None:
        """Set `node.setting`, or `instance/node.setting` in a subgraph, to a JSON value.

        A setting that the subgraph promotes is set on the instance. Any other is set in the body, which is
        refused where another instance would change with it.

        Raises:
            GraphErrors: a node is unknown, the value is not JSON, the body is shared.
        """
        *path, last = setting.split("/")
        bodies: list[Drawing] = [self]
        for depth, name in enumerate(path):
            graph = bodies[-1]._node(name).graph
            if graph is None:
                where = "/".join(path[: depth + 1])
                raise GraphErrors.one("E_GRAPH_UNKNOWN", f"'{where}' is not a subgraph", node=where)
            bodies.append(self._body(graph, name))
        _require(SOURCE, last)
        bodies[-1]._node(_owner(last))
        while path and (promoted := bodies[-1].interface.promoted(last)):
            last = f"{path.pop()}.{promoted}"
            bodies.pop()
        for depth, name in enumerate(path):
            graph = bodies[depth].nodes[name].graph
            users = [node for _, body in self.bodies() for node in body.nodes.values() if node.graph == graph]
            if len(users) > 1:
                hint = f"promote '{last}' in the interface of '{graph}', then set it on the instance"
                message = f"the subgraph '{graph}' has {len(users)} instances, which would all change"
                raise GraphErrors.one("E_SHARED_SETTING", message, node="/".join(path), hint=hint)
        drawing = bodies[-1]
        entry = drawing._node(_owner(last))
        if entry.graph is not None:
            _, name, _ = split_target(last)
            inputs = self._body(entry.graph, _owner(last)).interface.inputs
            if name not in inputs:
                message = f"the subgraph '{entry.graph}' has no input '{name}'"
                hint = did_you_mean(name, inputs, "inputs")
                raise GraphErrors.one("E_SETTING_UNKNOWN", message, node=_owner(last), port=name, hint=hint)
        Drawing.set(drawing, last, value)

    def bodies(self) -> Iterator[tuple[str | None, Drawing]]:
        """The graph itself under None, then the body of each subgraph under its name."""
        yield None, self
        yield from self.graphs.items()

    def copy(self) -> Self:  # type: ignore[override]
        """A graph that shares nothing with this one."""
        return self.model_copy(deep=True)

    def dump(self) -> str:
        """The canonical text of the graph.

        Raises:
            GraphErrors: a value that is not JSON was put into the graph past its methods.
        """
        try:
            return canonical.graph_text(self)
        except (TypeError, ValueError) as error:
            raise GraphErrors.one("E_NUMBER", str(error)) from None

    def content_hash(self, defaults: Callable[[str], Mapping[str, Any]] | None = None) -> str:
        """The sha256 of what the graph computes; `defaults` gives the default settings of a node type."""
        return canonical.content_hash(self, defaults)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the canonical text; a crash leaves the old file or the new one, never a part.

        Raises:
            GraphErrors: the file cannot be written, or the graph is too large to be read again.
        """
        data = self.dump().encode()
        if len(data) > MAX_BYTES:
            raise GraphErrors.one("E_TOO_LARGE", f"a graph file has at most {MAX_BYTES} bytes")
        try:
            write_bytes(Path(os.path.realpath(path)), data)
        except OSError as error:
            raise GraphErrors.one("E_FILE", f"{path}: {error.strerror or error}") from None

    def _body(self, graph: str, instance: str) -> Drawing:
        body = self.graphs.get(graph)
        if body is None:
            hint = did_you_mean(graph, self.graphs, "subgraphs")
            message = f"there is no subgraph '{graph}'"
            raise GraphErrors.one("E_GRAPH_UNKNOWN", message, node=instance, hint=hint)
        return body


def _require(pattern: str, text: str) -> None:
    if not (isinstance(text, str) and matches(pattern, text)):
        raise GraphErrors([malformed(pattern, text)])


def _owner(port: str) -> str:
    return port.partition(".")[0]


def _installed(type_id: str) -> NodeSpec | None:
    from ..declaring.registry import default_registry

    return None if type_id.startswith("graph:") else default_registry().find(type_id)


def _is_list(type_id: str, port: str) -> bool:
    spec = _installed(type_id)
    return spec is not None and any(found.name == port and found.many for found in (*spec.inputs, *spec.exits))


def _plain(value: Any, node: str, setting: str, depth: int = _SETTING_DEPTH) -> Any:
    """A copy of a value as plain JSON."""
    if depth < 0:
        raise GraphErrors.one("E_TOO_DEEP", f"more than {_SETTING_DEPTH} levels", node=node, port=setting)
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {_plain(name, node, setting): _plain(item, node, setting, depth - 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, node, setting, depth - 1) for item in value]
    try:
        canonical.canonical_bytes(value)
    except ValueError as error:
        raise GraphErrors.one("E_NUMBER", str(error), node=node, port=setting) from None
    except TypeError as error:
        raise GraphErrors.one("E_FIELD", str(error), node=node, port=setting) from None
    return value
