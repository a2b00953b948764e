"""Training loops inside of other regions: weights that are carried on, and which checkpoints a pass finds."""

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph import Graph
from hcpgraph.rng import stream_seed
from hcpgraph.testing import FOLDER

from .training_graphs import PACK, preview, training

STEPS = 4


def train(graph, workspace, **options):
    metrics = []
    result = hcpgraph.run(
        graph,
        packs=[PACK, FOLDER],
        workspace=workspace,
        on_event=lambda event: event["kind"] == "metric" and metrics.append(event["step"]),
        **options,
    )
    assert result.status == "done", result.failed
    return result, metrics


def scheduled(g, **settings):
    g.add("optim.schedule", "schedule", kind="cosine", warmup_steps=2, total_steps=20, **settings)
    g.connect("adamw.out", "schedule.optimizer")
    g.connect("schedule.out", "train.optimizer.0")
    return g


def repeated(times, steps=STEPS, *, inside=("train", "after", "w"), **loop) -> Graph:
    """`training` in flow.repeat; what is named lives in the region, the rest outside."""
    g = scheduled(training(steps, **loop))
    g.add("flow.repeat", "again", times=times)
    g.add("value.list", "none", settings={"value": []})
    g.connect("none.out", "again.state")
    for id in inside:
        g.move_into(id, "again")
    g.connect("w.out", "again.next")
    return g


def by_hand(passes, steps=STEPS, *, fresh_optimizer=False, accumulate=1):
    """One training in several passes: everything goes on, and draws name the pass."""
    from diffusers.optimization import get_scheduler

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2), nn.Tanh(), nn.Linear(4, 4))
    frozen = nn.Linear(4, 4).requires_grad_(False)
    optimizer, curve = None, []
    for step in range(passes * steps):
        turn = step // steps
        if optimizer is None or (fresh_optimizer and step % steps == 0):
            optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
            scheduler = get_scheduler("cosine", optimizer, num_warmup_steps=2, num_training_steps=20)
            for _ in range(step):
                scheduler.step()
        for micro in range(step * accumulate, (step + 1) * accumulate):
            x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1000 + micro))
            seeds = [stream_seed(5, "noise0", (turn, micro), ("toy", 0, micro * 3 + i)) for i in range(3)]
            draws = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
            torch.manual_seed(stream_seed(5, "global", (turn, micro, 0)))
            loss = (net(x + 0.1 * draws) - frozen(x)).square().mean()
            (loss / accumulate if accumulate > 1 else loss).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        curve.append(loss.item())
    return [value for p in net.parameters() for value in p.flatten().tolist()]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_passes_go_on_with_weights_steps_batches_and_schedule(workspace, accumulate):
    result, metrics = train(repeated(3, accumulate=accumulate), workspace, targets=["again"])
    assert result.outputs["again.out"] == by_hand(3, accumulate=accumulate)
    assert metrics == list(range(1, 3 * STEPS + 1))


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_schedule_that_is_made_anew_goes_on_too(workspace):
    g = repeated(3, inside=("adamw", "schedule", "train", "after", "w"))
    result, _ = train(g, workspace, targets=["again"])
    assert result.outputs["again.out"] == by_hand(3, fresh_optimizer=True)


def test_what_runs_now_and_then_counts_the_steps_of_all_passes(workspace):
    g = preview(repeated(3), every=3)
    train(g, workspace)
    lines = (workspace / "out/log.txt").read_text().split("\n")[:-1]
    assert [int(line.split()[0]) for line in lines] == [0, 3, 6, 9, 12]


def test_fresh_weights_in_a_repeat_start_over_with_other_draws(workspace):
    g = repeated(2, inside=("made", "adamw", "schedule", "train", "after", "w"))
    g.add("net.log", "peek", inside="train", path="out:peek.txt")
    g.connect("noise0.out", "peek.rows")
    _, metrics = train(g, workspace)
    assert metrics == [*range(1, STEPS + 1)] * 2
    lines = (workspace / "out/peek.txt").read_text().split("\n")[:-1]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"] * 2
    assert len({line.split()[1] for line in lines}) == 8


def test_more_passes_go_on_from_those_that_are_there(workspace, tmp_path):
    train(repeated(2), workspace, targets=["again"])
    result, metrics = train(repeated(4), workspace, targets=["again"])
    assert metrics == list(range(2 * STEPS + 1, 4 * STEPS + 1))
    whole, _ = train(repeated(4), tmp_path / "whole", targets=["again"])
    assert result.outputs["again.out"] == whole.outputs["again.out"]


def test_more_steps_a_pass_find_no_checkpoint_of_other_weights(workspace, tmp_path):
    train(repeated(3, checkpoint_every=1, keep=9), workspace, targets=["again"])
    result, metrics = train(repeated(3, STEPS + 2), workspace, targets=["again"])
    whole, _ = train(repeated(3, STEPS + 2), tmp_path / "whole", targets=["again"])
    assert result.outputs["again.out"] == whole.outputs["again.out"]
    assert metrics == list(range(STEPS + 1, 3 * (STEPS + 2) + 1)), "the first pass goes on, the others have new weights"


def swept(values, *, wired="item", **settings) -> Graph:
    """A training from fresh weights for every item; the item is the seed of the net."""
    g = training(STEPS)
    g.add("flow.for_each", "sweep", **settings)
    g.add("value.list", "seeds", settings={"value": values})
    g.connect("seeds.out", "sweep.items")
    for id in ("made", "adamw", "train", "after", "w"):
        g.move_into(id, "sweep")
    g.add("net.scale", "scale", inside="train")
    g.connect(f"sweep.{wired}", "scale.factor")
    g.connect("noise0.out", "scale.rows")
    g.connect("scale.out", "pred.rows")
    g.connect("w.out", "sweep.result")
    return g


def test_a_sweep_finds_the_passes_that_it_had_wherever_they_stand_now(workspace):
    first, metrics = train(swept([1, 2]), workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 2
    more, metrics = train(swept([3, 1, 2, 3]), workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)], "3 alone is new, and it is trained once"
    three, one, two, again = more.outputs["sweep.out"]
    assert [one, two] == first.outputs["sweep.out"] and three == again and len({str(w) for w in (one, two, three)}) == 3


@pytest.mark.parametrize("more", [{"draws": "own"}, {"wired": "index"}])
def test_a_pass_that_depends_on_its_index_is_found_by_it(workspace, more):
    result, metrics = train(swept([1, 1], **more), workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 2
    one, two = result.outputs["sweep.out"]
    assert one != two
    again, metrics = train(swept([1, 1], **more), workspace, targets=["sweep"])
    assert again.outputs["sweep.out"] == [one, two] and metrics == []


def test_a_pass_that_depends_on_a_node_that_changes_is_found_by_its_place(workspace):
    g = swept([1, 1])
    g.add("toy.counter", "count", inside="sweep")
    g.connect("sweep.item", "count.a")
    g.connect("count.out", "scale.factor")
    result, metrics = train(g, workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 2
    one, two = result.outputs["sweep.out"]
    assert one != two
    again, metrics = train(g, workspace, targets=["sweep"])
    assert again.outputs["sweep.out"] == [one, two] and metrics == []


def test_a_sweep_over_carried_weights_never_takes_those_of_another_pass(workspace, tmp_path):
    g = scheduled(training(STEPS))
    g.add("flow.for_each", "sweep")
    g.add("value.list", "rates", settings={"value": [1, 1, 1]})
    g.connect("rates.out", "sweep.items")
    for id in ("train", "after", "w"):
        g.move_into(id, "sweep")
    g.connect("w.out", "sweep.result")
    result, metrics = train(g, workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 3, "a sweep repeats its steps with its draws"
    assert len({str(weights) for weights in result.outputs["sweep.out"]}) == 3
    again, metrics = train(g, workspace, targets=["sweep"])
    assert again.outputs["sweep.out"] == result.outputs["sweep.out"] and metrics == []
