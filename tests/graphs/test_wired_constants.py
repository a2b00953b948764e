"""A value that comes over a wire in every step of a training does what the same value does where it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hcpgraph
from hcpgraph import Graph
from hcpgraph.checking.analyse import Analysis, analyse
from hcpgraph.declaring.registry import default_registry
from hcpgraph.paths import Roots

from .hand_written import drawn

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path for folder in ("quickstart", "train") for path in (ROOT / "graphs" / folder).glob("*.json"))


def step_settings(found: Analysis) -> Iterator[tuple[str, str, Any]]:
    """Settings of nodes that run in the body of a training loop, and are numbers, texts, or yes and no."""
    for node in found.flat.nodes.values():
        home = found.weights.home.get(node.id)
        if node.spec is None or home is None or found.flat.nodes[home].type != "train.loop":
            continue
        for name, value in found.settings[node.id].items():
            if type(value) in (bool, int, float, str) and name not in node.wired and value != "auto":
                yield node.id, name, value


def over_a_wire(g: Graph, loop: str, id: str, name: str, value: Any) -> Graph:
    """The graph with the value made of the step in every pass, through two value nodes or three."""
    parent = g.nodes[id].inside
    if type(value) is bool:
        g.add("value.compare", "wired_told", inside=parent, comparison="ge" if value else "lt", b=0.0)
        g.connect(f"{loop}.step", "wired_told.a")
    else:
        constant = 0.0 if isinstance(value, str) else float(value)
        g.add("value.math", "wired_none", inside=parent, operation="mul", b=0.0)
        g.connect(f"{loop}.step", "wired_none.a")
        g.add("value.math", "wired_told" if type(value) is float else "wired_number", inside=parent, b=constant)
        g.connect("wired_none.out", "wired_told.a" if type(value) is float else "wired_number.a")
        if type(value) is not float:
            g.add("value.round", "wired_told" if type(value) is int else "wired_whole", inside=parent)
            g.connect("wired_number.out", "wired_told.value" if type(value) is int else "wired_whole.value")
        if isinstance(value, str):
            g.add("value.list", "wired_list", value=[value])
            g.add("value.pick", "wired_told", inside=parent)
            g.connect("wired_list.out", "wired_told.items")
            g.connect("wired_whole.out", "wired_told.index")
    g.connect("wired_told.out", f"{id}.{name}")
    return g


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_settings_of_shipped_steps_take_wires_or_say_why_not(path: Path, tmp_path: Path) -> None:
    """No rule of the pack fails because a value is not known before the run."""
    registry, roots = default_registry(), Roots(tmp_path)
    known = analyse(hcpgraph.load(path), registry, roots)
    before = {(problem.code, problem.where) for problem in known.problems}
    tried = 0
    for id, name, value in step_settings(known):
        if "/" in id:
            continue
        loop = known.weights.home[id]
        after = analyse(over_a_wire(hcpgraph.load(path), str(loop), id, name, value), registry, roots)
        new = {(p.code, p.where) for p in after.problems if p.severity == "error"} - before
        assert new <= {("E_WIRED", f"{id}.{name}"), ("E_TYPE", f"{id}.{name}")}, (id, name, new)
        tried += 1
    assert tried or not any(node.type == "train.loop" for node in known.flat.nodes.values() if "/" not in node.id)


def graph() -> Graph:
    g = drawn(2)
    g.add("noise.offset", "offset", inside="train", strength=0.1)
    g.connect("noise.out", "offset.noise")
    for target in ("noisy.noise", "target.noise"):
        g.connect("offset.out", target)
    return g


def trained(g: Graph, workspace: Path) -> list[float]:
    result = hcpgraph.run(g, workspace=workspace, targets=["train"], record=False)
    assert result.status == "done", result.failed
    return [value for _, value in result.outputs["train.losses"].series["loss"]]


@pytest.mark.slow
def test_wired_constants_equal_written_ones_bit_for_bit(workspace: Path, tmp_path: Path) -> None:
    registry, roots = default_registry(), Roots(tmp_path)
    known = analyse(graph(), registry, roots)
    expected = trained(graph(), workspace)
    every = list(step_settings(known))
    taken = []
    for id, name, value in every:
        g = over_a_wire(graph(), "train", id, name, value)
        if any(problem.severity == "error" for problem in analyse(g, registry, roots).problems):
            continue
        assert trained(g, workspace) == expected, (id, name)
        taken.append(f"{id}.{name}")
    assert {"offset.strength", "mean.normalize", "latents.mode"} & set(taken) and len(taken) > 5, taken
    changed = graph()
    changed.set("offset.strength", 0.2)
    assert trained(changed, workspace) != expected
