"""`train.state`: what a step keeps for the next one, against a loop written by hand; what it is refused for."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph import Later, node
from hcpgraph.errors import SpecError

from .training_graphs import PACK, training

ROWS = 3


def looking_back(steps: int, *, chain: bool = False, swap: bool = False, **loop) -> hcpgraph.Graph:
    """The toy training with a second loss: the distance of the prediction from that of the step before.

    Args:
        chain: Whether a second state keeps what the first one gave, two steps back.
        swap: Whether the losses read the two states the other way round.
    """
    g = training(steps, noises=0, dropout=0.0, **loop)
    g.add("net.rows", "ones", count=ROWS)
    g.add("train.state", "kept", inside="train")
    g.connect("ones.out", "kept.initial")
    g.connect("pred.out", "kept.next")
    last = ["kept"]
    if chain:
        g.add("train.state", "older", inside="train")
        g.connect("ones.out", "older.initial")
        g.connect("kept.out", "older.next")
        last = ["older", "kept"] if swap else ["kept", "older"]
    for number, name in enumerate(last):
        g.add("net.mse", f"back{number}", inside="train", weight=0.5 + number)
        g.connect("pred.out", f"back{number}.a")
        g.connect(f"{name}.out", f"back{number}.b")
        g.connect(f"back{number}.out", "train.loss", many=True)
    return g


def by_hand(steps: int, *, chain: bool = False, accumulate: int = 1) -> list[float]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0), nn.Tanh(), nn.Linear(4, 4))
    frozen = nn.Linear(4, 4).requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    kept = older = torch.ones(ROWS, 4)
    for step in range(steps):
        for micro in range(step * accumulate, (step + 1) * accumulate):
            x = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1000 + micro))
            prediction = net(x)
            losses = [(prediction - frozen(x)).square().mean(), 0.5 * (prediction - kept).square().mean()]
            losses += [1.5 * (prediction - older).square().mean()] if chain else []
            loss = torch.stack(losses).sum()
            (loss / accumulate if accumulate > 1 else loss).backward()
            kept, older = prediction.detach(), kept
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return [value for p in net.parameters() for value in p.flatten().tolist()]


def weights(graph, workspace, **options):
    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace, **options)
    assert result.status == "done", result.failed
    return result.outputs["w.out"]


@pytest.mark.parametrize("options", [{}, {"chain": True}, {"accumulate": 3}, {"chain": True, "accumulate": 2}], ids=str)
def test_the_drawn_step_equals_a_hand_written_loop(workspace, options):
    """Bit for bit, but where autograd adds up three losses in another order."""
    found = weights(looking_back(5, **options), workspace)
    expected = by_hand(5, **options)
    assert found == (pytest.approx(expected, abs=1e-6) if "chain" in options else expected)
    assert found != pytest.approx(by_hand(5, **{**options, "chain": not options.get("chain")}), abs=1e-4)


def test_a_stopped_training_goes_on_with_what_was_kept(workspace, tmp_path):
    graph = looking_back(20, chain=True, log_every=1)
    stop = threading.Event()

    def after_seven(event):
        if event["kind"] == "metric" and event["step"] == 7:
            stop.set()

    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace, cancel=stop, on_event=after_seven)
    assert result.status == "cancelled"
    whole = weights(graph, tmp_path / "whole")
    assert weights(graph, workspace) == whole
    assert weights(looking_back(30, chain=True), workspace) == weights(looking_back(30, chain=True), tmp_path / "more")


def test_what_is_kept_is_part_of_the_key(workspace):
    """Two states of one beginning are told apart by what they keep, also where a loss reads the other one."""
    first = weights(looking_back(4, chain=True), workspace)
    second = weights(looking_back(4, chain=True, swap=True), workspace)
    other = looking_back(4, chain=True)
    other.connect("target.out", "kept.next")
    assert first != second
    assert len({tuple(found) for found in (first, second, weights(other, workspace))}) == 3


def test_what_nothing_else_needs_is_computed_for_it(workspace):
    g = looking_back(4)
    g.add("net.scale", "half", inside="train")
    g.add("value.float", "factor", value=0.5)
    g.connect("factor.out", "half.factor")
    g.connect("pred.out", "half.rows")
    g.connect("half.out", "kept.next")
    assert weights(g, workspace) not in (by_hand(4), weights(looking_back(4), workspace))


def test_it_stands_in_a_training_step_and_keeps_values(workspace):
    g = looking_back(3)
    g.add("train.state", "outside")
    g.connect("ones.out", "outside.initial")
    g.connect("outside.out", "outside.next")
    g.add("train.state", "net", inside="train")
    g.connect("made.net", "net.initial")
    g.connect("net.out", "net.next")
    g.add("net.run", "run", inside="train")
    g.connect("net.out", "run.net")
    g.connect("batch.out", "run.rows")
    g.add("net.mse", "mse9", inside="train")
    g.connect("run.out", "mse9.a")
    g.connect("batch.out", "mse9.b")
    g.connect("mse9.out", "train.loss", many=True)
    found = [(problem.code, problem.node) for problem in hcpgraph.validate(g, packs=[PACK], workspace=workspace)]
    assert ("E_KEPT", "outside") in found and ("E_KEPT", "net") in found


def test_a_value_of_another_type_does_not_fit(workspace):
    g = looking_back(3)
    g.connect("mse.out", "kept.next")
    found = [problem for problem in hcpgraph.validate(g, packs=[PACK], workspace=workspace) if problem.code == "E_TYPE"]
    assert [(problem.node, problem.port) for problem in found] == [("kept", "next")]


def test_without_next_it_is_not_whole(workspace):
    g = looking_back(3)
    g.disconnect("kept.next")
    found = [(problem.code, problem.port) for problem in hcpgraph.validate(g, packs=[PACK], workspace=workspace)]
    assert ("E_PORT_MISSING", "next") in found


def test_other_circles_are_refused_as_before(workspace):
    g = looking_back(3)
    g.connect("pred.out", "kept.initial")
    g.connect("kept.out", "pred.rows")
    codes = {problem.code for problem in hcpgraph.validate(g, packs=[PACK], workspace=workspace)}
    assert "E_CYCLE" in codes


def test_a_later_port_belongs_to_a_class_that_commits():
    with pytest.raises(SpecError, match="commit"):

        @node("toy.later", effects="state")
        class Forgetful:
            """Keeps nothing.

            Args:
                value: A value.
                next: The next one.
            """

            def __call__(self, value: float, next: Later[float]) -> float:
                return value
