"""Order of execution: two vertices for an owner of a region, one sort, and every cycle with its path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .flat import Flat, FlatNode, Source, owns

BEGIN, END = 0, 1
Vertex = tuple[str, int]


@dataclass
class Order:
    """A flat graph as vertices.

    Attributes:
        sorted: Vertices such that every one comes after those it waits for; a node without a region has BEGIN only.
        after: Vertex -> the vertices that wait for it.
    """

    sorted: list[Vertex]
    after: dict[Vertex, list[Vertex]]

    def reach(self, start: Iterable[Vertex]) -> set[Vertex]:
        """Everything downstream of `start`, which is included."""
        seen = set(start)
        stack = list(seen)
        while stack:
            for vertex in self.after.get(stack.pop(), ()):
                if vertex not in seen:
                    seen.add(vertex)
                    stack.append(vertex)
        return seen

    def reversed(self) -> Order:
        before: dict[Vertex, list[Vertex]] = {}
        for vertex, following in self.after.items():
            for other in following:
                before.setdefault(other, []).append(vertex)
        return Order(self.sorted[::-1], before)


def end_of(node: FlatNode) -> Vertex:
    return (node.id, END if owns(node) else BEGIN)


def source_vertex(flat: Flat, source: Source) -> Vertex:
    """Entries are there from the begin of the owner on, outputs from its end."""
    node = flat.nodes[source[0]]
    if owns(node) and node.spec is not None and source[1] in node.spec.entry:
        return (node.id, BEGIN)
    return end_of(node)


def outermost(flat: Flat, source: Source, target: FlatNode) -> str | None:
    """The outermost owner around `target` that does not enclose `source` too; None if there is none."""
    node = flat.nodes[source[0]]
    around = flat.chain(node.id)
    if owns(node) and node.spec is not None and source[1] in node.spec.entry:
        around = (*around, node.id)
    for depth, owner in enumerate(flat.chain(target.id)):
        if depth >= len(around) or around[depth] != owner:
            return owner
    return None


def sort(flat: Flat) -> Order:
    """Sort all vertices; what lies on a cycle is left out and reported with its path."""
    after: dict[Vertex, list[Vertex]] = {}
    waits: dict[Vertex, int] = {}
    for node in flat.nodes.values():
        waits[(node.id, BEGIN)] = 0
        if owns(node):
            waits[(node.id, END)] = 0

    def link(first: Vertex, then: Vertex) -> None:
        after.setdefault(first, []).append(then)
        waits[then] += 1

    regions = any(node.parent for node in flat.nodes.values())
    for node in flat.nodes.values():
        begin, end = (node.id, BEGIN), end_of(node)
        if begin != end:
            link(begin, end)
        if node.parent is not None:
            link((node.parent, BEGIN), begin)
            if owns(flat.nodes[node.parent]):
                link(end, (node.parent, END))
        for source in node.waits_for():
            if node.spec is None and node.id in flat.chain(source[0]):
                continue  # an exit, as far as can be told of an unknown type
            first = source_vertex(flat, source)
            link(first, begin)
            if regions and (owner := outermost(flat, source, node)) is not None and owner != first[0]:
                link(first, (owner, BEGIN))
        for source in node.exit_sources():
            link(source_vertex(flat, source), end)
        for _, source in node.later_sources():
            if (owner := outermost(flat, source, node)) is not None and owner != source[0]:
                link(source_vertex(flat, source), (owner, BEGIN))
    ready = [vertex for vertex, count in waits.items() if count == 0]
    done: list[Vertex] = []
    ready.reverse()
    while ready:
        vertex = ready.pop()
        done.append(vertex)
        for following in after.get(vertex, ()):
            waits[following] -= 1
            if waits[following] == 0:
                ready.append(following)
    if len(done) < len(waits):
        _report_cycles(flat, after, {vertex for vertex, count in waits.items() if count > 0})
    return Order(done, after)


def _report_cycles(flat: Flat, after: dict[Vertex, list[Vertex]], left: set[Vertex]) -> None:
    import networkx as nx

    graph: nx.DiGraph[Vertex] = nx.DiGraph()
    graph.add_edges_from((a, b) for a in left for b in after.get(a, ()) if b in left)
    for component in nx.strongly_connected_components(graph):
        start = min(component)
        if len(component) == 1 and not graph.has_edge(start, start):
            continue
        cycle = nx.find_cycle(graph.subgraph(component), start)
        names: list[str] = []
        for (id, _), _ in cycle:
            if not names or names[-1] != id:
                names.append(id)
        path = " -> ".join([*names, names[0]])
        flat.error("E_CYCLE", f"the wires go round in a circle: {path}", names[0],
                   hint="take one of these wires out; a loop is drawn with flow.repeat or flow.for_each")  # fmt: skip
