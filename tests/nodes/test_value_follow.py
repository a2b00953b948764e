"""Values of the step, and what they decide: `value.at_step`, `value.curve`, `value.compare`, `value.logic`."""

from __future__ import annotations

import math
import operator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers.optimization import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup
from hcpgraph_nodes.value.at_step import at_step
from hcpgraph_nodes.value.collect import collect
from hcpgraph_nodes.value.compare import COMPARISONS, compare
from hcpgraph_nodes.value.curve import curve
from hcpgraph_nodes.value.logic import logic

import hcpgraph
from hcpgraph import Graph, GraphError

POINTS = [(2, 1.0), (4, 3.0), (10, 0.0)]


def test_points_hold_or_are_joined() -> None:
    assert [at_step(s, points=POINTS) for s in (0, 2, 3, 4, 9, 10, 99)] == [1, 1, 1, 3, 3, 0, 0]
    joined = [at_step(s, points=POINTS, between="linear") for s in (0, 2, 3, 4, 7, 10, 99)]
    assert joined == [1, 1, 2, 3, 1.5, 0, 0]
    assert at_step(5, points=[(0, 0.25)], between="linear") == 0.25


@pytest.mark.parametrize(
    ("shape", "reference"), [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)]
)
@pytest.mark.parametrize("warmup", [0, 3])
def test_curves_to_zero_are_those_of_learning_rates(shape: str, reference, warmup: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    schedule = reference(optimizer, warmup, 20)
    for step in range(25):
        value = curve(step, shape=shape, start=0.7, end=0.0, over=20, warmup_steps=float(warmup))  # type: ignore[arg-type]
        assert value == pytest.approx(schedule.get_last_lr()[0], rel=1e-12, abs=1e-15) or step > 20
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("shape", ["linear", "cosine", "polynomial", "exponential"])
def test_curves_go_from_start_to_end_and_stay_there(shape) -> None:
    values = [curve(step, shape=shape, start=2.0, end=0.5, over=10) for step in range(13)]
    assert values[0] == 2 and values[10:] == [0.5] * 3
    assert all(a > b for a, b in pairwise(values[:11]))
    assert (
        values != [curve(step, shape="linear", start=2.0, end=0.5, over=10) for step in range(13)] or shape == "linear"
    )


def test_the_formulas() -> None:
    assert curve(3, shape="polynomial", start=2.0, end=1.0, over=10, power=3.0) == pytest.approx(1 + 0.7**3)
    assert curve(5, shape="exponential", start=-4.0, end=-1.0, over=10) == pytest.approx(-2)
    assert curve(5, shape="cosine", start=0.0, end=1.0, over=20) == pytest.approx((1 - math.cos(math.pi / 4)) / 2)
    assert curve(99, shape="constant", start=3.0) == 3
    assert [curve(s, shape="constant", start=4.0, warmup_steps=0.2, over=10) for s in range(4)] == [0, 2, 4, 4]


def test_what_a_curve_cannot_do() -> None:
    with pytest.raises(GraphError, match="E_VALUE"):
        curve(5, shape="exponential", start=1.0, end=0.0, over=10)
    with pytest.raises(GraphError, match="E_LENGTH"):
        curve(5, shape="linear")


def problems(type_id: str, **settings) -> list[tuple[str, str]]:
    g = Graph()
    g.add(type_id, "v", settings=settings)
    g.add("value.int", "s")
    g.connect("s.out", "v.step")
    return [(problem.code, problem.where) for problem in hcpgraph.validate(g)]


def test_settings_that_contradict_each_other_are_told_before_the_run() -> None:
    assert problems("value.at_step", points=[[0, 1.0], [5, 2.0]]) == []
    assert problems("value.at_step", points=[[5, 1.0], [5, 2.0]]) == [("E_SETTING", "v.points")]
    assert ("E_SETTING", "v.points") in problems("value.at_step", points=[])
    assert problems("value.curve", over=10) == []
    assert problems("value.curve", over=10, warmup_steps=10.0) == [("E_SETTING", "v.warmup_steps")]
    assert problems("value.curve", over=10, warmup_steps=1.5) == [("E_SETTING", "v.warmup_steps")]
    assert problems("value.curve", over=10, shape="exponential") == [("E_SETTING", "v.end")]


def test_comparisons_and_logic() -> None:
    for a, b in [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]:
        assert {name: compare(comparison=name, a=a, b=b) for name in COMPARISONS} == {  # type: ignore[arg-type]
            name: getattr(operator, name)(a, b) for name in COMPARISONS
        }
    for a in (False, True):
        for b in (False, True):
            assert logic(operation="and", a=a, b=b) is (a and b)
            assert logic(operation="or", a=a, b=b) is (a or b)
            assert logic(operation="not", a=a, b=b) is (not a)
    assert collect((1.0, 2.0)) == [1.0, 2.0]


def test_they_fold_where_nothing_is_a_step(workspace: Path) -> None:
    g = Graph()
    g.add("value.int", "s", value=3)
    g.add("value.curve", "c", shape="linear", over=6)
    g.add("value.compare", "early", b=0.75)
    g.add("flow.switch", "sw")
    g.add("value.float", "yes", value=1.0)
    g.add("value.float", "no", value=2.0)
    for source, target in [("s.out", "c.step"), ("c.out", "early.a"), ("early.out", "sw.condition"),
                           ("yes.out", "sw.on_true"), ("no.out", "sw.on_false")]:  # fmt: skip
        g.connect(source, target)
    result = hcpgraph.run(g, workspace=workspace, targets=["sw"])
    assert result.outputs["sw.out"] == 1 and "no" not in result.ran
