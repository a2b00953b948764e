"""Schedules of any trusted class: the same rates as torch alone, an end that is held, and an exact resume."""

import json

import pytest
import torch

import hcpgraph
from hcpgraph.trust import SHIPPED
from tests.engine.test_lengths import analysed, run, scheduled
from tests.engine.training_graphs import PACK, training

STEPS = 6
ARGS = {
    "ConstantLR": {},
    "CosineAnnealingLR": {},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "ExponentialLR": {"gamma": 0.9},
    "LinearLR": {},
    "MultiStepLR": {"milestones": [2, 4]},
    "OneCycleLR": {"max_lr": 0.05},
    "PolynomialLR": {},
    "StepLR": {"step_size": 2},
}
LENGTH = {
    "ConstantLR": "total_iters",
    "CosineAnnealingLR": "T_max",
    "LinearLR": "total_iters",
    "OneCycleLR": "total_steps",
    "PolynomialLR": "total_iters",
}


def graph(name, steps=STEPS, args=None, **settings):
    g = training(steps)
    g.add(
        "python.object",
        "kind",
        path=f"torch.optim.lr_scheduler:{name}",
        args=ARGS.get(name, {}) if args is None else args,
    )
    g.add("optim.custom_schedule", "schedule", steps_argument=LENGTH.get(name, ""), **settings)
    g.connect("adamw.out", "schedule.optimizer")
    g.connect("kind.out", "schedule.kind")
    g.connect("schedule.out", "train.optimizer.0")
    return g


def by_torch(name, steps, total):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=0.01)
    args = {**ARGS[name], **({LENGTH[name]: total} if name in LENGTH else {})}
    made = getattr(torch.optim.lr_scheduler, name)(optimizer, **args)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if name not in LENGTH or step < total:
            made.step()
    return rates


def test_every_class_that_is_trusted_as_a_schedule_is_here():
    trusted = json.loads(SHIPPED.read_text())["learning rates"]
    assert {path.rpartition(":")[2] for path in trusted} == set(ARGS)


@pytest.mark.parametrize("name", ARGS)
def test_rates_are_those_of_torch_hold_at_the_end_and_resume_exactly(workspace, tmp_path, name):
    wanted = by_torch(name, STEPS + 2, STEPS)
    assert run(graph(name), workspace)[1] == wanted[:STEPS]
    longer = graph(name, STEPS + 2, **({"total_steps": STEPS} if name in LENGTH else {}))
    whole, rates, _ = run(longer, tmp_path / "whole")
    assert rates == wanted
    resumed, rates, told = run(longer, workspace)
    assert f"checkpoint of step {STEPS} of {STEPS + 2}" in told and rates == wanted[STEPS:]
    assert resumed.outputs["w.out"] == whole.outputs["w.out"]


def test_a_length_follows_the_loop_and_a_longer_one_asks(workspace):
    assert analysed(graph("OneCycleLR")).settings["schedule"]["total_steps"] == STEPS
    run(graph("CosineAnnealingLR"), workspace)
    with pytest.raises(hcpgraph.GraphErrors, match="E_BEGUN"):
        run(graph("CosineAnnealingLR", 9), workspace)


@pytest.mark.parametrize(
    ("g", "words"),
    [
        (graph("CosineAnnealingLR", args={"T_max": 5}), "is given T_max = 5 and by total_steps"),
        (graph("StepLR", args={}), "refuses its arguments"),
        (graph("ExponentialLR", args={"beta": 3}), "ExponentialLR"),
    ],
)
def test_wrong_arguments_are_told(workspace, g, words):
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    assert result.status == "failed"
    (error,) = result.failed.values()
    assert error.problem.code == "E_OBJECT" and words in error.problem.message


def test_what_is_no_schedule_is_refused(workspace):
    g = graph("StepLR")
    g.set("kind.path", "torch.optim:SGD")
    g.set("kind.args", {})
    error = hcpgraph.run(g, packs=[PACK], workspace=workspace).failed["schedule"]
    assert error.problem.code == "E_OBJECT" and "no schedule" in error.problem.message
    assert not analysed(scheduled(3)).errors
