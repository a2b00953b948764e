"""Accumulated gradients against one big batch: every loss is the mean over all of its samples, however they are cut."""

import itertools

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph import Graph

from .training_graphs import PACK

STEPS, PASSES = 2, 3


def drawn(losses, *, clip=0.0, state=False) -> Graph:
    """SGD on losses; each is (sizes of its batches, whether it counts its rows, name of the net.run it shares)."""
    g = Graph()
    g.add("net.make", "made")
    g.add("python.object", "sgd", path="torch.optim:SGD")
    g.add("optim.custom", "opt", lr=0.1, max_grad_norm=clip)
    g.connect("sgd.out", "opt.kind")
    g.connect("made.params", "opt.params", many=True)
    g.add("train.loop", "train", steps=STEPS, accumulate=PASSES)
    g.connect("opt.out", "train.optimizer", many=True)
    for number, (sizes, counted, shared) in enumerate(losses):
        if shared not in g.nodes:
            g.add("net.ragged", f"batch_{shared}", inside="train", sizes=sizes, start=100 * number)
            rows = f"batch_{shared}.out"
            if state:
                g.add("net.state", f"drift_{shared}", inside="train")
                g.connect(rows, f"drift_{shared}.rows")
                rows = f"drift_{shared}.out"
            g.add("net.run", shared, inside="train")
            g.connect("made.net", f"{shared}.net")
            g.connect(rows, f"{shared}.rows")
        g.add("net.mse", f"mse{number}", inside="train", weight=1.0 + number, counted=counted)
        g.connect(f"{shared}.out", f"mse{number}.a")
        g.connect(f"batch_{shared}.out", f"mse{number}.b")
        g.connect(f"mse{number}.out", "train.loss", many=True)
    g.add("flow.after", "after")
    g.connect("made.net", "after.value")
    g.connect("train.trained", "after.trained")
    g.add("net.weights", "w")
    g.connect("after.out", "w.net")
    return g


def by_hand(losses, *, clip=0.0, state=False):
    """One batch a loss and step; a loss that counts no rows weighs its passes alike."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0), nn.Tanh(), nn.Linear(4, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    owners = {shared: number for number, (_, _, shared) in reversed(list(enumerate(losses)))}
    reported = []
    for step in range(STEPS):
        total = 0.0
        for number, (_, counted, shared) in enumerate(losses):
            sizes = losses[owners[shared]][0]
            passes = range(step * PASSES, (step + 1) * PASSES)
            cut = [sizes[each % len(sizes)] for each in range((step + 1) * PASSES)]
            first = 100 * owners[shared] + sum(cut[: step * PASSES])
            rows = sum(cut[step * PASSES :])
            x = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(first + i)) for i in range(rows)])
            which = torch.tensor(list(itertools.chain(*([each] * cut[each] for each in passes))))
            drift = 1 + 0.01 * (which + 1).float()[:, None] if state else torch.ones(rows, 1)
            of_row = (1.0 + number) * (net(x * drift) - x).square().mean(dim=1)
            weights = torch.ones(rows) if counted else torch.tensor([1 / cut[each] for each in which])
            total = total + (of_row * weights / weights.sum()).sum()
        total.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        reported.append(total.item())
    return torch.cat([p.detach().flatten() for p in net.parameters()]), reported


A = ([2, 2, 1], True, "one")
CASES = {
    "one loss": [A],
    "two losses of one batch": [A, ([], True, "one")],
    "two data sets, cut alike": [A, ([4, 4, 2], True, "two")],
    "two data sets, cut otherwise": [A, ([1, 3, 2], True, "two")],
    "one that counts and one that does not": [A, ([], False, "one")],
    "three data sets": [A, ([3, 1, 1], True, "two"), ([2], True, "three")],
    "equal passes": [([2], True, "one"), ([3], True, "two")],
}


@pytest.mark.parametrize("options", [{}, {"clip": 0.05}, {"state": True}], ids=["plain", "clipped", "with a state"])
@pytest.mark.parametrize("losses", CASES.values(), ids=CASES)
def test_the_step_is_that_of_one_big_batch(workspace, losses, options):
    result = hcpgraph.run(drawn(losses, **options), packs=[PACK], workspace=workspace, targets=["w", "train"])
    assert result.status == "done", result.failed
    weights, reported = by_hand(losses, **options)
    torch.testing.assert_close(torch.tensor(result.outputs["w.out"]), weights, rtol=1e-5, atol=1e-6)
    found = [value for _, value in result.outputs["train.losses"].series["loss"]]
    assert found == pytest.approx(reported, rel=1e-5)


def test_a_loss_of_no_samples_is_an_error(workspace):
    g = drawn([A])
    g.add("net.nothing", "nothing", inside="train")
    g.connect("mse0.out", "nothing.loss")
    g.connect("nothing.out", "train.loss.0")
    problem = hcpgraph.run(g, packs=[PACK], workspace=workspace).failed["train"].problem
    assert (problem.code, problem.port) == ("E_BATCH", "loss.0")


def test_a_pass_that_is_run_again_reports_its_numbers_once(workspace):
    g = drawn(CASES["two data sets, cut otherwise"])
    g.add("net.metric", "told", inside="train")
    g.connect("one.out", "told.rows")
    g.connect("told.out", "mse0.a")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, targets=["train"])
    assert [step for step, _ in result.outputs["train.losses"].series["sum"]] == list(range(STEPS * PASSES))
