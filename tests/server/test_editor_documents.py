"""What the editor makes of a document is a document: random edits of its own code, read by the loader of the engine."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from hcpgraph import document
from hcpgraph.checking.flat import FlatNode
from hcpgraph.checking.flatten import flatten
from hcpgraph.declaring.registry import default_registry
from hcpgraph.server.helpers.specs import specs

from .editor import ROOT, editor

EDITS = 200
SAME = {
    "collapse",
    "expand",
    "rename",
    "promote",
    "promoteOutput",
    "renameInterface",
    "move",
    "resize",
    "title",
    "note",
}
"""Edits after which a graph computes what it computed before, draws included."""


def _hash(graph: document.Graph) -> str:
    registry = default_registry()

    def defaults(type_id: str) -> Any:
        spec = registry.find(type_id)
        return spec.defaults if spec else {}

    return graph.content_hash(defaults)


def _computes(graph: document.Graph, *, streams: bool) -> Counter[str]:
    """What the nodes are, what feeds them and what they draw, whatever they are called."""
    flat = flatten(graph, default_registry())

    def described(node: FlatNode) -> str:
        def of(sources: Any) -> list[str]:
            return [f"{flat.nodes[id].type}.{port}" if id in flat.nodes else "?" for id, port in sources]

        spec = node.spec
        settings = {**(spec.defaults if spec else {}), **node.settings}
        ports = {port: of(sources) for port, sources in sorted({**node.inputs, **node.exits}.items())}
        wired = {name: of([source]) for name, source in sorted(node.wired.items())}
        region = flat.nodes[node.parent].type if node.parent else None
        draws = node.stream if streams and spec is not None and spec.has("random") else None
        return json.dumps([node.type, settings, ports, wired, region, draws], sort_keys=True)

    return Counter(described(node) for node in flat.nodes.values())


def _drawn_once(before: document.Graph, after: document.Graph) -> bool:
    """The bodies that were edited stand in one place: only then can the file keep the streams of what goes deeper."""
    places = Counter(flatten(before, default_registry()).instances.values())
    return all(
        places[name] < 2 for name, body in before.graphs.items() if name in after.graphs and after.graphs[name] != body
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"), [("quickstart/train_lora", 1), ("quickstart/train_lora", 2), ("train/lora", 3)]
)
def test_every_edit_leaves_a_document_and_undo_leads_back(name: str, seed: int) -> None:
    path = ROOT / "graphs" / f"{name}.json"
    graph = json.loads(path.read_bytes())
    steps = editor("editing", graph=graph, specs=json.loads(specs("en", ())[0]), seed=seed, count=EDITS)
    assert len(steps) == EDITS + 3, "too few edits were possible"

    graphs: list[document.Graph] = []
    compared: Counter[str] = Counter()
    for number, step in enumerate(steps):
        where = f"step {number} ({step['name']})"
        read = document.loads(json.dumps(step["graph"]))
        dumped = read.dump()
        assert document.loads(dumped).dump() == dumped, where
        # List ports are numbered 0 … n-1 by the editor itself: the loader had nothing to close.
        written = {target for body in (step["graph"], *step["graph"]["graphs"].values()) for target in body["edges"]}
        assert {target for _, body in read.bodies() for target in body.edges} == written, where
        graphs.append(read)
        if step["name"] in SAME:
            once = _drawn_once(*graphs[-2:])
            before, after = (_computes(one, streams=once) for one in graphs[-2:])
            compared[step["name"]] += once
            assert before == after, where
    assert compared["collapse"] and compared["expand"] and compared["rename"]
    start, *_, last, undone, redone = graphs
    assert _hash(undone) == _hash(start) == _hash(document.load(path))
    assert undone.dump() == start.dump() == document.load(path).dump()
    assert _hash(redone) == _hash(last) != _hash(start)
