"""A sweep over the rank and the rate of a LoRA, with nodes that ship: each item trains as the graph alone does."""

from __future__ import annotations

from pathlib import Path

import pytest

import hcpgraph
from hcpgraph import Graph

from .hand_written import drawn

STEPS = 2


def lora(**settings) -> Graph:
    g = drawn(STEPS)
    del g.nodes["whole"]
    g.edges = {target: source for target, source in g.edges.items() if not target.startswith("whole.")}
    g.add("plugin.lora", "lora", layers=["@attention"], **settings)
    g.connect("new.denoiser", "lora.model")
    g.edges["adamw.params.0"] = "lora.params"
    g.edges["predict.denoiser"] = "lora.model"
    return g


def swept(setting: str, items: list) -> Graph:
    g = lora()
    g.add("flow.for_each", "sweep")
    g.add("value.list", "items", value=items)
    g.connect("items.out", "sweep.items")
    for id in ("lora", "adamw", "train"):
        g.move_into(id, "sweep")
    g.connect("sweep.item", setting)
    g.connect("train.losses", "sweep.result")
    return g


def run(g: Graph, workspace: Path, target: str):
    steps: list[int] = []
    result = hcpgraph.run(g, workspace=workspace, targets=[target], record=False,
                          on_event=lambda e: e["kind"] == "metric" and steps.append(e["step"]))  # fmt: skip
    assert result.status == "done", result.failed
    return result, steps


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "items"), [("lora.rank", [2, 4]), ("adamw.lr", [0.001, 0.01])])
def test_each_item_trains_as_it_does_alone(workspace: Path, tmp_path: Path, setting: str, items: list) -> None:
    """The rank changes the shapes of what is trained; the model and the data outside are read once."""
    result, steps = run(swept(setting, items), workspace, "sweep")
    curves = [curve.series["loss"] for curve in result.outputs["sweep.out"]]
    assert len(steps) == 2 * STEPS and curves[0] != curves[1] and result.ran.count("new") == 1
    for place, item in enumerate(items):
        g = lora()
        g.set(setting, item)
        assert run(g, tmp_path / str(place), "train")[0].outputs["train.losses"].series["loss"] == curves[place]
    more, steps = run(swept(setting, [3 * items[0], *items]), workspace, "sweep")
    assert len(steps) == STEPS
    assert [curve.series["loss"] for curve in more.outputs["sweep.out"][1:]] == curves
