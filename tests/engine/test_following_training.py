"""Settings that follow the steps of a training, and branches that it takes for some steps, against loops by hand."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph.rng import stream_seed

from .training_graphs import PACK, training

POINTS = [[0, 0.1], [3, 0.4]]


def train(graph, workspace, **options):
    targets = [id for id in ("train", "w", "w2") if id in graph.nodes]
    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace, targets=targets, **options)
    assert result.status == "done", result.failed
    return result


def following(steps, *, source="train.update", **more):
    """`training()` whose noise gets stronger at step 3 and whose loss weighs less along a cosine of all steps."""
    g = training(steps, **more)
    g.add("value.at_step", "strength", inside="train", points=POINTS, between="linear")
    g.add("value.curve", "curve", inside="train", shape="cosine", start=1.0, end=0.25)
    g.add("value.math", "doubled", inside="train", operation="mul", b=2.0)
    for target, wire in {"strength.step": source, "noise0.strength": "strength.out", "curve.step": source,
                         "doubled.a": "curve.out", "mse.weight": "doubled.out"}.items():  # fmt: skip
        g.connect(wire, target)
    return g


def losses(result):
    return [value for _, value in result.outputs["train.losses"].series["loss"]]


def by_hand(steps, *, accumulate=1, over=None):
    """The loop of `following()`; returns weights and losses."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 4))
    frozen = nn.Linear(4, 4).requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    found = []
    for step in range(steps):
        strength = 0.1 + 0.3 * (step / 3) if step < 3 else 0.4
        weight = 2 * (0.25 + 0.75 * (1 + math.cos(math.pi * step / (over or steps))) / 2)
        total = 0.0
        for micro in range(step * accumulate, (step + 1) * accumulate):
            x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1000 + micro))
            seeds = [stream_seed(5, "noise0", (micro,), ("toy", 0, micro * 3 + i)) for i in range(3)]
            draws = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
            torch.manual_seed(stream_seed(5, "global", (micro, 0)))
            loss = weight * (net(x + strength * draws) - frozen(x)).square().mean()
            (loss / accumulate if accumulate > 1 else loss).backward()
            total = total + loss.detach()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append((total / accumulate if accumulate > 1 else total).item())
    return [value for p in net.parameters() for value in p.flatten().tolist()], found


@pytest.mark.parametrize("accumulate", [1, 3])
def test_settings_follow_the_optimizer_steps_as_a_loop_by_hand_has_them(workspace, accumulate):
    result = train(following(8, accumulate=accumulate), workspace)
    weights, expected = by_hand(8, accumulate=accumulate)
    assert losses(result) == expected and result.outputs["w.out"] == weights


def test_passes_are_not_steps(workspace, tmp_path):
    """The twin: what follows `step`, the passes, is another training where several make a step."""
    whole = train(following(4, accumulate=3), workspace)
    assert losses(train(following(4, accumulate=3, source="train.step"), tmp_path / "passes")) != losses(whole)


def test_a_training_that_was_stopped_in_the_middle_is_the_same(workspace, tmp_path):
    stop = threading.Event()

    def after_five(event):
        if event["kind"] == "metric" and event["step"] == 5:
            stop.set()

    half = hcpgraph.run(following(9, log_every=1), packs=[PACK], workspace=workspace, cancel=stop, on_event=after_five)
    assert half.status == "cancelled"
    result, whole = train(following(9, log_every=1), workspace), train(following(9, log_every=1), tmp_path / "whole")
    assert losses(result) == losses(whole) and result.outputs["w.out"] == whole.outputs["w.out"]


def test_a_written_length_holds_and_more_steps_go_on(workspace):
    g = following(4)
    g.set("curve.over", 8)
    train(g, workspace)
    g.set("train.steps", 8)
    metrics: list[int] = []
    result = train(g, workspace, on_event=lambda e: e["kind"] == "metric" and metrics.append(e["step"]))
    assert metrics == [5, 6, 7, 8]
    assert losses(result) == by_hand(8)[1]


def test_a_curve_of_all_steps_is_another_training_when_there_are_more(workspace):
    train(following(4), workspace)
    with pytest.raises(hcpgraph.GraphErrors) as error:
        hcpgraph.run(following(8), packs=[PACK], workspace=workspace)
    assert error.value.problems[0].code == "E_BEGUN" and "curve.over" in error.value.problems[0].message


def test_a_length_that_nothing_tells_is_refused():
    g = following(4)
    g.add("flow.for_each", "each")
    g.add("value.list", "items", value=[1, 2])
    g.add("value.curve", "other", inside="each")
    g.connect("items.out", "each.items")
    g.connect("each.index", "other.step")
    g.connect("other.out", "each.result")
    found = [(p.code, p.where) for p in hcpgraph.validate(g, packs=[PACK])]
    assert ("E_LENGTH", "other.over") in found and ("E_LENGTH", "curve.over") not in found


def branched(steps, until, **more):
    """The prediction goes through a second net until a step; afterwards what comes out of the first one is taken."""
    g = training(steps, dropout=0.0, **more)
    g.add("net.make", "extra", seed=3)
    g.connect("extra.params", "adamw.params", many=True)
    g.add("net.run", "second", inside="train")
    g.add("value.compare", "early", inside="train", comparison="lt", b=float(until))
    g.add("flow.switch", "sw", inside="train")
    for target, wire in {"second.net": "extra.net", "second.rows": "pred.out", "early.a": "train.update", "sw.condition": "early.out",
                         "sw.on_true": "second.out", "sw.on_false": "pred.out", "mse.a": "sw.out"}.items():  # fmt: skip
        g.connect(wire, target)
    g.add("flow.after", "after2")
    g.connect("extra.net", "after2.value")
    g.connect("train.trained", "after2.trained")
    g.add("net.weights", "w2")
    g.connect("after2.out", "w2.net")
    return g


def branched_by_hand(steps, until):
    def make(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0), nn.Tanh(), nn.Linear(4, 4))
        return net, nn.Linear(4, 4).requires_grad_(False)

    (net, frozen), (extra, _) = make(0), make(3)
    params = [*net.parameters(), *extra.parameters()]
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=0.01)
    found = []
    for step in range(steps):
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1000 + step))
        seeds = [stream_seed(5, "noise0", (step,), ("toy", 0, step * 3 + i)) for i in range(3)]
        draws = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        prediction = net(x + 0.1 * draws)
        loss = ((extra(prediction) if step < until else prediction) - frozen(x)).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return [[v for p in one.parameters() for v in p.flatten().tolist()] for one in (net, extra)], found


@pytest.mark.parametrize("until", [0, 3, 9])
def test_a_branch_until_a_step_equals_a_loop_by_hand(workspace, until):
    """The net of the branch that is not taken keeps its weights: no gradient, no decay, no old moments."""
    result = train(branched(7, until), workspace)
    weights, expected = branched_by_hand(7, until)
    assert losses(result) == expected
    assert [result.outputs["w.out"], result.outputs["w2.out"]] == weights


def test_a_branch_resumes(workspace, tmp_path):
    train(branched(4, 3), workspace)
    result, whole = train(branched(8, 3), workspace), train(branched(8, 3), tmp_path / "whole")
    assert result.outputs["w2.out"] == whole.outputs["w2.out"] and losses(result) == losses(whole)


@pytest.mark.parametrize(("until", "fails"), [(0, True), (2, True), (9, False)])
def test_a_branch_that_ends_gradients_is_told_in_the_first_pass_in_which_it_runs(workspace, until, fails):
    g = branched(5, until)
    g.add("net.cut", "cut", inside="train")
    g.connect("pred.out", "cut.rows")
    g.connect("cut.out", "sw.on_false")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, on_error="continue")
    assert ("train" in result.failed) == fails
    if fails:
        problem = result.failed["train"].problem
        assert (problem.code, problem.node) == ("E_NO_GRADIENT", "cut")
        assert len([e for e in result.ran if e == "train"]) == 0


def test_a_loss_that_a_branch_leaves_without_weights_is_told_when_it_does(workspace):
    g = branched(5, 2)
    g.add("net.run", "bare", inside="train")
    g.connect("made.frozen", "bare.net")
    g.connect("batch.out", "bare.rows")
    g.connect("bare.out", "sw.on_false")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, on_error="continue")
    assert result.failed["train"].problem.code == "E_LOSS_FROZEN"


def test_ddp_is_told_that_some_parameters_have_no_gradient(workspace, monkeypatch):
    """Where a switch stands in the body, and nowhere else."""
    from hcpgraph_nodes.train import loop as module

    asked, real = [], module.make_accelerator

    def make(*args, **named):
        made = real(*args, **named)
        asked.append(made.ddp_handler is not None and made.ddp_handler.find_unused_parameters)
        return made

    monkeypatch.setattr(module, "make_accelerator", make)
    train(branched(1, 1), workspace)
    train(following(1), workspace)
    assert asked == [True, False]
