"""`train.objective`: which loss trains what, against loops written by hand; what it is refused for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph.errors import GraphErrors
from hcpgraph.rng import stream_seed

from .training_graphs import PACK

STEPS = 6


def rivals(steps: int = STEPS, *, dropout: float = 0.0, first=None, second=None, schedule="", **loop):
    """Two nets against each other: `maker` follows the frozen net and what `judge` says, `judge` follows `maker`.

    Args:
        first, second: Settings of the objectives of maker and judge.
        schedule: Kind of the learning rate curve of judge.
    """
    g = hcpgraph.Graph()
    for name, seed in (("maker", 0), ("judge", 1)):
        g.add("net.make", name, seed=seed, dropout=dropout)
        g.add("optim.adamw", f"adamw_{name}", lr=0.01)
        g.connect(f"{name}.params", f"adamw_{name}.params", many=True)
    g.add("train.loop", "train", steps=steps, seed=5, **loop)
    g.connect("adamw_maker.out", "train.optimizer", many=True)
    of_judge = "adamw_judge"
    if schedule:
        g.add("optim.schedule", "curve", kind=schedule)
        g.connect("adamw_judge.out", "curve.optimizer")
        of_judge = "curve"
    g.connect(f"{of_judge}.out", "train.optimizer", many=True)
    g.add("net.batch", "batch", inside="train")
    g.add("net.noise", "noise", inside="train")
    g.connect("batch.out", "noise.rows")
    for name, net, rows in (
        ("target", "maker.frozen", "batch"),
        ("made", "maker.net", "noise"),
        ("said", "judge.net", "made"),
    ):
        g.add("net.run", name, inside="train")
        g.connect(net, f"{name}.net")
        g.connect(f"{rows}.out", f"{name}.rows")
    for name, a, b in (("follow", "said", "target"), ("doubt", "said", "batch")):
        g.add("net.mse", name, inside="train")
        g.connect(f"{a}.out", f"{name}.a")
        g.connect(f"{b}.out", f"{name}.b")
    for name, loss, optimizer, settings in (
        ("make", "follow", "adamw_maker", first),
        ("judging", "doubt", of_judge, second),
    ):
        g.add("train.objective", name, inside="train", **(settings or {}))
        g.connect(f"{loss}.out", f"{name}.loss")
        g.connect(f"{optimizer}.out", f"{name}.optimizers", many=True)
        g.connect(f"{name}.out", "train.loss", many=True)
    for name in ("maker", "judge"):
        g.add("flow.after", f"after_{name}")
        g.connect(f"{name}.net", f"after_{name}.value")
        g.connect("train.trained", f"after_{name}.trained")
        g.add("net.weights", f"w_{name}")
        g.connect(f"after_{name}.out", f"w_{name}.net")
    return g


def net(seed: int, dropout: float) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(4, 4), nn.Dropout(dropout), nn.Tanh(), nn.Linear(4, 4))
    return made, nn.Linear(4, 4).requires_grad_(False)


def by_hand(steps: int = STEPS, *, dropout: float = 0.0, when=lambda step: (True, True), schedule=False, accumulate=1):
    """Gradients of both at the weights before the step, each with a forward pass of its own and the other one frozen.

    Args:
        when: Whether maker and judge are due in a step.
        schedule: Whether the learning rate of judge comes down linearly over the steps that it does.
    """
    (maker, frozen), (judge, _) = net(0, dropout), net(1, dropout)
    own = [list(each.parameters()) for each in (maker, judge)]
    optimizers = [torch.optim.AdamW(params, lr=0.01, weight_decay=0.01) for params in own]
    total = sum(when(step)[1] for step in range(steps))
    curve = torch.optim.lr_scheduler.LambdaLR(optimizers[1], lambda n: (total - n) / total) if schedule else None
    losses = []
    for step in range(steps):
        due = when(step)
        means = [0.0, 0.0]
        for micro in range(step * accumulate, (step + 1) * accumulate):
            x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1000 + micro))
            seeds = [stream_seed(5, "noise", (micro,), ("toy", 0, micro * 3 + i)) for i in range(3)]
            noise = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
            for index, (name, target) in enumerate((("make", frozen(x)), ("judging", x))):
                if due[index]:
                    for each, params in enumerate(own):
                        for parameter in params:
                            parameter.requires_grad_(each == index)
                    torch.manual_seed(stream_seed(5, f"global:{name}", (micro, 0)))
                    loss = (judge(maker(x + 0.1 * noise)) - target).square().mean()
                    (loss / accumulate if accumulate > 1 else loss).backward()
                    means[index] += loss.item() / accumulate
        for index, optimizer in enumerate(optimizers):
            if due[index]:
                nn.utils.clip_grad_norm_(own[index], 1.0)
                optimizer.step()
                optimizer.zero_grad()
        if curve is not None and due[1]:
            curve.step()
        losses.append([mean for mean, is_due in zip(means, due, strict=True) if is_due])
    return [[value for p in params for value in p.flatten().tolist()] for params in own], losses


def train(graph, workspace, **options):
    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace, **options)
    assert result.status == "done", result.failed
    return result


def weights(result) -> list[list[float]]:
    return [result.outputs["w_maker.out"], result.outputs["w_judge.out"]]


IN_TURN = {"first": {"every": 2}, "second": {"every": 2, "start": 1}}
CASES = {
    "both at once": ({}, {}),
    "dropout": ({"dropout": 0.3}, {"dropout": 0.3}),
    "in turn": (IN_TURN, {"when": lambda step: (step % 2 == 0, step % 2 == 1)}),
    "one stops": ({"second": {"stop": 2}}, {"when": lambda step: (True, step < 2)}),
    "one begins": ({"second": {"start": 4}}, {"when": lambda step: (True, step >= 4)}),
    "every third": ({"second": {"every": 3}}, {"when": lambda step: (True, step % 3 == 0)}),
    "accumulation": ({"accumulate": 2, **IN_TURN}, {"accumulate": 2, "when": lambda step: (step % 2 == 0, step % 2)}),
    "a schedule": (
        {"schedule": "linear", "second": {"every": 2}},
        {"schedule": True, "when": lambda step: (True, step % 2 == 0)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_drawn_step_equals_a_hand_written_loop(workspace, case):
    drawn, hand = CASES[case]
    result = train(rivals(**drawn), workspace, targets=["w_maker", "w_judge", "train"])
    expected, losses = by_hand(**hand)
    assert weights(result) == expected
    series = result.outputs["train.losses"].series
    found = [[dict(series[name]).get(step + 1) for name in ("loss/make", "loss/judging")] for step in range(STEPS)]
    told = [value for row in found for value in row if value is not None]
    assert told == pytest.approx([value for row in losses for value in row], rel=1e-6)
    assert [value for _, value in series["loss"]] == pytest.approx([sum(row) for row in losses], rel=1e-6)
    other = by_hand(**{**hand, "when": lambda step: (step > 0, True)})[0]
    assert weights(result) != other


def test_objectives_of_all_optimizers_train_as_plain_losses_do(workspace, tmp_path):
    objectives, plain = rivals(), rivals()
    for place, (name, loss) in enumerate((("make", "follow"), ("judging", "doubt"))):
        objectives.connect("adamw_maker.out", f"{name}.optimizers.0")
        objectives.connect("adamw_judge.out", f"{name}.optimizers.1")
        plain.connect(f"{loss}.out", f"train.loss.{place}")
        plain.remove(name)
    both = weights(train(objectives, workspace)), weights(train(plain, tmp_path / "plain"))
    assert both[0] == both[1]


def test_the_average_of_an_optimizer_stands_still_where_it_is_not_due(workspace):
    """Averages are taken of all weights that are due, also of those that another objective asked no gradients of."""
    g = rivals(5, first={"every": 2})
    for name in ("maker", "judge"):
        g.add("optim.ema", f"ema_{name}", decay=0.5, power=1.0)
        g.connect(f"adamw_{name}.out", f"ema_{name}.optimizer")
    for target, name in (
        ("train.optimizer.0", "maker"),
        ("make.optimizers.0", "maker"),
        ("train.optimizer.1", "judge"),
        ("judging.optimizers.0", "judge"),
    ):
        g.connect(f"ema_{name}.out", target)
    trained = [train(g, workspace, targets=["train", "w_maker", "w_judge"])]
    states = []
    for steps in range(1, 6):
        g.set("train.steps", steps)
        trained.append(train(g, workspace / "steps", targets=["train", "w_maker", "w_judge"]))
        states.append(weights(trained[-1]))
    for index, due in enumerate((lambda step: step % 2 == 0, lambda step: True)):
        mean, count = torch.tensor(weights_at_start(index)), 0
        for step in range(5):
            if due(step):
                count += 1
                kept = min(0.5, 1 - 1 / count)
                mean = mean - (1 - kept) * (mean - torch.tensor(states[step][index]))
        averages = trained[0].outputs["train.trained"].averages
        found = torch.cat([average.flatten() for _, average in averages[index * 4 : index * 4 + 4]])
        torch.testing.assert_close(found, mean, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(found, torch.tensor(states[-1][index]), atol=1e-4)


def weights_at_start(seed: int) -> list[float]:
    return [value for parameter in net(seed, 0.0)[0].parameters() for value in parameter.flatten().tolist()]


def test_a_training_in_turn_goes_on_exactly(workspace, tmp_path):
    whole = weights(train(rivals(9, **IN_TURN), tmp_path / "whole"))
    train(rivals(4, **IN_TURN), workspace)
    assert weights(train(rivals(9, **IN_TURN), workspace)) == whole


def test_a_longer_training_with_a_schedule_of_its_own_share_is_asked_for(workspace):
    settings = {"schedule": "linear", "second": {"every": 2}}
    train(rivals(4, **settings), workspace)
    with pytest.raises(GraphErrors, match=r"total_steps 2 \(now 4") as caught:
        hcpgraph.run(rivals(8, **settings), packs=[PACK], workspace=workspace)
    assert [problem.code for problem in caught.value.problems] == ["E_BEGUN"]


def problems_of(graph, workspace) -> list[tuple[str, str | None, str | None]]:
    found = hcpgraph.validate(graph, packs=[PACK], workspace=workspace)
    return [(each.code, each.node, each.port) for each in found if each.severity == "error"]


# names_optimizers_of_its_loop
def test_an_optimizer_of_another_loop_is_refused(workspace):
    g = rivals(schedule="linear")
    g.connect("adamw_judge.out", "judging.optimizers.0")
    assert ("E_OBJECTIVE", "judging", "optimizers") in problems_of(g, workspace)


def test_an_optimizer_without_a_loss_is_refused(workspace):
    g = rivals()
    g.connect("adamw_maker.out", "judging.optimizers.0")
    assert problems_of(g, workspace) == [("E_OBJECTIVE", "train", "optimizer")]


def test_a_step_without_a_loss_is_refused(workspace):
    g = rivals(first={"every": 2}, second={"every": 4})
    assert problems_of(g, workspace) == [("E_OBJECTIVE", "train", "loss")]
    assert problems_of(rivals(first={"start": 3, "stop": 3}), workspace)[0] == ("E_RANGE", "make", "stop")


def test_a_step_without_a_loss_is_refused_where_only_the_run_knows_the_length(workspace):
    g = rivals(first={"every": 2}, second={"every": 4})
    g.add("net.loader", "pages", batches=3)
    g.connect("pages.out", "train.loader")
    g.set("train.steps", None)
    g.set("train.epochs", 2.0)
    assert problems_of(g, workspace) == []
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    problem = result.failed["train"].problem
    assert problem.code == "E_OBJECTIVE" and "step 1" in problem.message
    assert not list(workspace.rglob("step-*"))


# goes_to_a_loop
def test_an_objective_is_no_mere_loss(workspace):
    g = rivals()
    g.add("loss.weighted_sum", "sum", inside="train")
    g.connect("make.out", "sum.losses", many=True)
    g.connect("sum.out", "train.loss.0")
    assert ("E_OBJECTIVE", "make", "loss") in problems_of(g, workspace)


def test_a_loss_of_other_weights_than_its_objective_names_is_refused(workspace):
    g = rivals()
    g.connect("target.out", "doubt.a")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    assert result.status == "failed" and result.failed["train"].problem.code == "E_LOSS_FROZEN"


def test_what_changes_between_calls_does_not_stand_behind_weights_for_two_objectives(workspace):
    g = rivals()
    g.add("net.state", "drift", inside="train")
    g.connect("made.out", "drift.rows")
    g.connect("drift.out", "said.rows")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    assert [error.problem.code for error in result.failed.values()] == ["E_OBJECTIVE"]


def test_what_writes_behind_a_loss_runs_where_it_is_due(workspace):
    g = rivals(**IN_TURN)
    g.add("net.run", "look", inside="train")
    g.connect("judge.net", "look.net")
    g.connect("made.out", "look.rows")
    g.add("net.log", "log", inside="train", path="out:all.txt")
    g.connect("look.out", "log.rows")
    train(g, workspace)
    assert [line.split()[0] for line in (workspace / "out/all.txt").read_text().split("\n") if line] == list("123456")
