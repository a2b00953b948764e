"""What is different between two graphs: what changes a run, and apart from it what changes the looks only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import canonical
from .fileformat import NodeEntry, target_order
from .graph import Drawing, Graph

What = Literal[
    "node", "type", "version", "setting", "in", "mode", "stream", "edge", "interface", "graph", "requires",
    "title", "view", "meta",
]  # fmt: skip
_COSMETIC = {"title", "view", "meta"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what kind of thing, where it is, and its value before and after."""

    what: What
    place: str
    kind: Literal["added", "removed", "changed"]
    old: Any = None
    new: Any = None

    @property
    def cosmetic(self) -> bool:
        """Whether no run can tell the difference."""
        return self.what in _COSMETIC

    def to_json(self) -> dict[str, Any]:
        """The change as a JSON object; `old` is absent for what was added, `new` for what was removed."""
        value = {"what": self.what, "place": self.place, "kind": self.kind, "cosmetic": self.cosmetic}
        if self.kind != "added":
            value["old"] = self.old
        if self.kind != "removed":
            value["new"] = self.new
        return value

    def __str__(self) -> str:
        old, new = canonical.one_line(self.old), canonical.one_line(self.new)
        values = {"added": new, "removed": old, "changed": f"{old} -> {new}"}[self.kind]
        return f"{_SIGNS[self.kind]} {self.what} {self.place}: {values}"


def diff(old: Graph, new: Graph) -> list[Change]:
    """Every difference between two graphs, what changes a run first."""
    changes = [*_of_body(old, new, ""), *_of_graphs(old, new)]
    changes += _of_mapping("requires", "", _value(old, "requires"), _value(new, "requires"))
    changes += _of_mapping("meta", "", _value(old, "meta"), _value(new, "meta"))
    return sorted(changes, key=lambda change: change.cosmetic)


def lines(changes: Iterable[Change]) -> list[str]:
    """The changes as lines of text; those that no run can tell stand under a heading of their own."""
    found = list(changes)
    cosmetic = [f"  {change}" for change in found if change.cosmetic]
    return [str(change) for change in found if not change.cosmetic] + (["looks only:", *cosmetic] if cosmetic else [])


def _of_graphs(old: Graph, new: Graph) -> Iterator[Change]:
    for name in sorted(old.graphs.keys() | new.graphs.keys()):
        before, after = old.graphs.get(name), new.graphs.get(name)
        if before is None and after is not None:
            yield Change("graph", name, "added", new=sorted(after.nodes))
        elif after is None and before is not None:
            yield Change("graph", name, "removed", old=sorted(before.nodes))
        elif before is not None and after is not None:
            yield from _of_body(before, after, f"{name}/")


def _of_body(old: Drawing, new: Drawing, prefix: str) -> Iterator[Change]:
    for node in sorted(old.nodes.keys() | new.nodes.keys()):
        before, after = old.nodes.get(node), new.nodes.get(node)
        if before is None and after is not None:
            yield Change("node", prefix + node, "added", new=canonical.node_value(after))
        elif after is None and before is not None:
            yield Change("node", prefix + node, "removed", old=canonical.node_value(before))
        elif before is not None and after is not None:
            yield from _of_node(before, after, prefix + node)
    names = sorted(old.edges.keys() | new.edges.keys(), key=target_order)
    yield from _of_mapping("edge", prefix, old.edges, new.edges, names)
    for side in ("inputs", "outputs"):
        faces = getattr(old.interface, side), getattr(new.interface, side)
        yield from _of_mapping("interface", f"{prefix}{side}.", *faces)
    yield from _of_mapping("view", f"{prefix}nodes.", old.view.nodes, new.view.nodes)
    for part in ("notes", "frames"):
        yield from _of_mapping("view", prefix, {part: getattr(old.view, part)}, {part: getattr(new.view, part)})


def _of_node(old: NodeEntry, new: NodeEntry, place: str) -> Iterator[Change]:
    parts: list[tuple[What, Any, Any]] = [
        ("type", old.type, new.type),
        ("version", old.version, new.version),
        ("in", old.inside, new.inside),
        ("mode", old.mode, new.mode),
        ("stream", old.stream, new.stream),
        ("title", old.title, new.title),
    ]
    for what, before, after in parts:
        if before != after:
            yield Change(what, place, "changed", before, after)
    yield from _of_mapping("setting", f"{place}.", old.settings, new.settings)


def _of_mapping(
    what: What,
    prefix: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    names: Iterable[str] | None = None,
) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()) if names is None else names:
        place = prefix + name
        if name not in old:
            yield Change(what, place, "added", new=new[name])
        elif name not in new:
            yield Change(what, place, "removed", old=old[name])
        elif canonical.canonical_bytes(old[name]) != canonical.canonical_bytes(new[name]):
            yield Change(what, place, "changed", old[name], new[name])


def _value(graph: Graph, part: str) -> dict[str, Any]:
    value: dict[str, Any] = canonical.graph_value(graph).get(part, {})
    return value
