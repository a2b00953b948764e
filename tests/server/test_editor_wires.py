"""The editor offers the wires that the engine takes: its connection rule against `analyse`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hcpgraph import document
from hcpgraph.checking.analyse import analyse
from hcpgraph.declaring.registry import default_registry
from hcpgraph.errors import Problem
from hcpgraph.paths import Roots
from hcpgraph.server.helpers.specs import specs
from hcpgraph.server.helpers.validate import check

from .editor import ROOT, editor

REFUSED = {
    "E_TYPE": "graph.connect.type",
    "E_SCOPE": "graph.connect.scope",
    "E_CYCLE": "graph.connect.cycle",
}
TRIES = [
    ("quickstart/train_lora", 1_000),
    ("train/lora", 400),
    ("train/scratch", 400),
    ("train/scratch with train.state", 800),
    pytest.param("quickstart/train_lora", 10_000, marks=pytest.mark.long),
]


def _is_at(problem: Problem, node: str, port: str) -> bool:
    """At the end of a wire, be it inside of an instance: what another type means further on the next check tells."""
    found = problem.node or ""
    return found.startswith(f"{node}/") or (found == node and str(problem.port).partition(".")[0] == port)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tries"), TRIES)
def test_a_wire_is_offered_if_and_only_if_the_engine_takes_it(name: str, tries: int, tmp_path: Path) -> None:
    registry, roots = default_registry(), Roots(tmp_path)
    name, _, more = name.partition(" with ")
    graph = document.load(ROOT / "graphs" / f"{name}.json")
    if more:
        owner = next(id for id, node in graph.nodes.items() if node.type == "train.loop")
        graph.add(more, "kept", inside=owner)
        graph.connect("prompts.out", "kept.initial")
    known = analyse(graph, registry, roots)
    before = {(problem.code, problem.node, problem.port) for problem in known.problems}
    value = json.loads(graph.dump())
    whole = {"requires": {}, "meta": {}, "graphs": {}, "view": {}, "interface": {}, **value}
    told = json.loads(check(json.dumps({"graph": whole}).encode(), roots, ()))
    tried = editor("connecting", graph=whole, specs=json.loads(specs("en", ())[0]), check=told, seed=7, count=tries)

    seen: set[str | None] = set()
    for one in tried:
        wire = f"{one['source']} -> {one['target']} ({one['why']})"
        after = analyse(document.loads(json.dumps(one["graph"])), registry, roots)
        node, port = one["target"].split(".")
        codes = {
            problem.code
            for problem in after.problems
            if (problem.code, problem.node, problem.port) not in before
            and (problem.code == "E_CYCLE" or _is_at(problem, node, port))
        }
        refused = codes & REFUSED.keys()
        seen.add(one["why"])
        if one["ok"]:
            assert not refused, wire
        elif one["why"] == "graph.connect.self":
            assert "E_CYCLE" in codes, f"{wire}: {sorted(codes)}"
        else:
            # The engine asks for types only where there is no circle.
            assert one["why"] in {REFUSED[code] for code in refused} or "E_CYCLE" in codes, f"{wire}: {sorted(codes)}"
    reasons = {"type", "scope", "cycle"} if name == "train/scratch" else {"type", "scope"}
    assert {None, *(f"graph.connect.{reason}" for reason in reasons)} <= seen
