"""The training loop against a loop written by hand, and its exact resume."""

import threading

import pytest
import torch
from torch import nn

import hcpgraph
from hcpgraph.rng import stream_seed
from hcpgraph.testing import FOLDER

from .training_graphs import PACK, preview, training


def train(graph, workspace, packs=(PACK,), **options):
    result = hcpgraph.run(graph, packs=packs, workspace=workspace, **options)
    assert result.status == "done", result.failed
    return result


def by_hand(steps, *, dropout=0.2, second=None, accumulate=1, noise=True):
    """The loop of `training()` as one would write it; returns weights and losses."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(dropout), nn.Tanh(), nn.Linear(4, 4))
    frozen = nn.Linear(4, 4).requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    losses = []
    for step in range(steps):
        total = 0.0
        for micro in range(step * accumulate, (step + 1) * accumulate):
            x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1000 + micro))
            seeds = [stream_seed(5, "noise0", (micro,), ("toy", 0, micro * 3 + i)) for i in range(3)]
            draws = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
            torch.manual_seed(stream_seed(5, "global", (micro, 0)))
            prediction, target = net(x + 0.1 * draws if noise else x), frozen(x)
            loss = (prediction - target).square().mean()
            if second == "shared":
                loss = torch.stack([loss, 0.5 * (prediction - x).square().mean()]).sum()
            (loss / accumulate if accumulate > 1 else loss).backward()
            total = total + loss.detach()
            if second == "separate":
                torch.manual_seed(stream_seed(5, "global", (micro, 1)))
                other = 0.5 * (net(x) - target).square().mean()
                (other / accumulate if accumulate > 1 else other).backward()
                total = total + other.detach()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append((total / accumulate if accumulate > 1 else total).item())
    return [value for p in net.parameters() for value in p.flatten().tolist()], losses


@pytest.mark.parametrize(
    ("graph", "hand"),
    [
        ({"steps": 50}, {"steps": 50}),
        ({"steps": 5, "second": "shared"}, {"steps": 5, "second": "shared"}),
        ({"steps": 5, "second": "separate"}, {"steps": 5, "second": "separate"}),
        ({"steps": 4, "accumulate": 3}, {"steps": 4, "accumulate": 3}),
    ],
    ids=["plain", "one group of two losses", "two groups", "accumulation"],
)
def test_the_drawn_step_equals_a_hand_written_loop_bit_for_bit(workspace, graph, hand):
    result = train(training(**graph), workspace, targets=["w", "train"])
    weights, losses = by_hand(**hand)
    assert result.outputs["w.out"] == weights
    assert [value for _, value in result.outputs["train.losses"].series["loss"]] == losses


def test_twenty_steps_and_twenty_more_equal_forty(workspace, tmp_path):
    graph = training(40, drift=True)
    whole = train(graph, tmp_path / "whole").outputs["w.out"]
    train(training(20, drift=True), workspace)
    assert train(graph, workspace).outputs["w.out"] == whole


def test_a_schedule_and_the_optimizer_resume_exactly(workspace, tmp_path):
    def scheduled(steps):
        g = training(steps)
        g.add("optim.schedule", "schedule", kind="cosine", warmup_steps=3, total_steps=20)
        g.connect("adamw.out", "schedule.optimizer")
        g.connect("schedule.out", "train.optimizer.0")
        return g

    whole = train(scheduled(12), tmp_path / "whole")
    train(scheduled(7), workspace)
    assert train(scheduled(12), workspace).outputs["w.out"] == whole.outputs["w.out"]


def test_cancel_keeps_a_checkpoint_and_the_same_run_goes_on_from_it(workspace, tmp_path):
    whole = train(training(30, log_every=1), tmp_path / "whole").outputs["w.out"]
    stop = threading.Event()

    def after_ten(event):
        if event["kind"] == "metric" and event["step"] == 10:
            stop.set()

    result = hcpgraph.run(training(30, log_every=1), packs=[PACK], workspace=workspace, cancel=stop, on_event=after_ten)
    assert result.status == "cancelled"
    assert [path.name for path in (workspace / "cache" / "train").rglob("step-*")] == ["step-00000010"]
    assert train(training(30, log_every=1), workspace).outputs["w.out"] == whole


def test_an_equal_run_trains_nothing_and_force_trains_again(workspace):
    steps = []

    def count(event):
        if event["kind"] == "metric":
            steps.append(event["step"])

    first = train(training(4), workspace, on_event=count).outputs["w.out"]
    assert steps == [1, 2, 3, 4]
    assert train(training(4), workspace, on_event=count).outputs["w.out"] == first
    assert steps == [1, 2, 3, 4]
    assert train(training(4), workspace, on_event=count, force=["train"]).outputs["w.out"] == first
    assert steps == [1, 2, 3, 4, 1, 2, 3, 4]


def test_a_training_that_goes_on_tells_the_curve_so_far(workspace):
    def curve(steps):
        told, events = [], []
        train(training(steps), workspace, on_event=events.append)
        for event in events:
            if event["kind"] == "curve" and event["node"] == "train":
                told += [(step, value) for step, value in event["series"]["loss"]]
            if event["kind"] == "metric" and event["node"] == "train":
                told.append((event["step"], event["values"]["loss"]))
        return told

    whole = curve(4)
    assert [step for step, _ in whole] == [1, 2, 3, 4]
    assert curve(4) == whole
    more = curve(6)
    assert more[:4] == whole and [step for step, _ in more] == [1, 2, 3, 4, 5, 6]


def test_force_trains_again_although_what_stands_on_it_is_kept(workspace):
    g = training(4)
    g.add("toy.write", "save")
    g.connect("w.out", "save.value")
    events = []
    assert "train" in train(g, workspace, packs=[FOLDER, PACK]).ran
    assert train(g, workspace, packs=[FOLDER, PACK]).ran == []
    again = train(g, workspace, packs=[FOLDER, PACK], force="*", on_event=events.append)
    assert {"train", "w", "save"} <= set(again.ran)
    assert [event["step"] for event in events if event["kind"] == "metric"] == [1, 2, 3, 4]


def test_editing_the_preview_the_saver_or_the_view_retrains_nothing(workspace):
    steps = []

    def count(event):
        if event["kind"] == "metric":
            steps.append(event["step"])

    train(preview(training(4)), workspace, on_event=count)
    changed = preview(training(4), every=1, path="out:other.txt")
    changed.view.nodes["made"] = [10.0, 20.0]
    train(changed, workspace, on_event=count)
    assert steps == [1, 2, 3, 4]
    train(preview(training(4, lr=0.02)), workspace, on_event=count)
    assert steps == [1, 2, 3, 4] * 2


def test_previews_change_nothing_and_draw_the_same_noise_every_time(workspace, tmp_path):
    plain = train(training(6), tmp_path / "plain").outputs["w.out"]
    watched = train(preview(training(6)), workspace).outputs["w.out"]
    assert watched == plain
    lines = (workspace / "out" / "log.txt").read_text().split("\n")[:-1]
    assert [line.split()[0] for line in lines] == ["0", "2", "4", "6"]


def test_another_noise_node_leaves_the_draws_of_the_first_alone(workspace, tmp_path):
    one, two = training(3), training(3, noises=2)
    for g, folder in ((one, tmp_path / "one"), (two, tmp_path / "two")):
        g.add("net.log", "peek", inside="train", path="out:peek.txt")
        g.connect("noise0.out", "peek.rows")
        train(g, folder)
    assert (tmp_path / "one/out/peek.txt").read_text() == (tmp_path / "two/out/peek.txt").read_text()
    assert train(one, tmp_path / "a").outputs["w.out"] != train(two, tmp_path / "b").outputs["w.out"]


def test_a_loss_of_frozen_parts_is_refused_with_a_remedy(workspace):
    g = training(3)
    g.connect("target.out", "mse.a")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    problem = result.failed["train"].problem
    assert (problem.code, problem.port) == ("E_LOSS_FROZEN", "loss.0")
    assert "handle" in problem.hint


def test_a_loss_that_is_not_a_number_stops_with_the_step(workspace):
    result = hcpgraph.run(training(30, lr=1e30), packs=[PACK], workspace=workspace)
    assert result.failed["train"].problem.code == "E_LOSS_NAN"


@pytest.mark.parametrize("second", [None, "separate"])
def test_a_node_that_fails_in_the_step_is_named(workspace, second):
    graph = training(steps=1, second=second)
    graph.nodes["made"].settings["size"] = 5
    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace)
    said = str(result.failed["train"])
    assert said.startswith("E_RUN target") and "mat1 and mat2" in said


def test_one_parameter_in_two_optimizers_is_refused(workspace):
    g = training(2)
    g.connect("made.params", "adamw.params.1")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    assert result.failed["adamw"].problem.code == "E_PARAMS"


def test_a_cut_off_checkpoint_is_passed_over(workspace, tmp_path):
    whole = train(training(12), tmp_path / "whole").outputs["w.out"]
    train(training(8, checkpoint_every=4), workspace)
    latest = max((workspace / "cache" / "train").rglob("step-*"))
    weights = latest / "tensors.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert train(training(12, checkpoint_every=4), workspace).outputs["w.out"] == whole


def test_checkpoints_are_told_with_those_that_they_replace(workspace):
    told = []
    train(training(12, checkpoint_every=4), workspace, on_event=lambda e: e["kind"] == "checkpoint" and told.append(e))
    assert [(event["node"], event["step"], event["forgotten"]) for event in told] == [
        ("train", 4, []),
        ("train", 8, []),
        ("train", 12, [4]),
    ]
    there = {
        path.relative_to(workspace / "cache").as_posix() for path in (workspace / "cache" / "train").rglob("step-*")
    }
    assert {event["uri"] for event in told[1:]} == {f"cache:{path}" for path in there}


def test_a_sweep_trains_a_new_net_every_time_with_the_same_draws(workspace):
    """net.make, optimizer and loop inside flow.for_each: the second pass starts from fresh weights."""
    g = training(3)
    g.add("flow.for_each", "sweep")
    g.add("value.list", "rates", settings={"value": [1, 2]})
    g.connect("rates.out", "sweep.items")
    for id in ("made", "adamw", "train", "after", "w"):
        g.move_into(id, "sweep")
    g.connect("w.out", "sweep.result")
    result = train(g, workspace, targets=["sweep"])
    first, second = result.outputs["sweep.out"]
    assert first == second == by_hand(3)[0]


def test_a_sweep_over_weights_made_outside_is_warned_of(workspace):
    g = training(3)
    g.add("flow.for_each", "sweep")
    g.add("value.list", "rates", settings={"value": [1, 2]})
    g.connect("rates.out", "sweep.items")
    for id in ("adamw", "train", "after", "w"):
        g.move_into(id, "sweep")
    g.connect("w.out", "sweep.result")
    (warning,) = hcpgraph.validate(g, packs=[PACK], workspace=workspace)
    assert (warning.code, warning.node, warning.severity) == ("W_CARRIED", "train", "warning")


def saving(steps, *, every=2, **settings):
    """A saver in `train.every` that writes a picture of its own."""
    g = training(steps)
    g.add("train.every", "every", inside="train", steps=every)
    g.add("image.load", "picture", path="builtin:emoji/contact.webp")
    g.add("image.save", "during", inside="every", path="out:seen.png", **settings)
    g.connect("picture.out", "during.images")
    return g


def names(workspace):
    return sorted(path.name for path in (workspace / "out").glob("*"))


def test_files_saved_now_and_then_are_named_by_the_step(workspace):
    train(saving(5), workspace)
    assert names(workspace) == ["seen-000000.png", "seen-000002.png", "seen-000004.png"]
    train(saving(5), workspace, force=["train"])
    assert "seen-000002-2.png" in names(workspace)


def test_with_overwrite_there_is_one_file_of_the_latest(workspace):
    train(saving(5, overwrite=True), workspace)
    assert names(workspace) == ["seen.png"]


def test_a_saver_that_is_added_after_training_is_caught_up_and_a_measure_is_not_told_twice(workspace):
    logs = []

    def listen(event):
        if event["kind"] == "log":
            logs.append(event["message"])

    first = train(preview(training(4), every=2), workspace, targets=["train"])
    g = preview(training(4), every=2)
    g.add("image.load", "picture", path="builtin:emoji/contact.webp")
    g.add("image.save", "during", inside="every", path="out:seen.png")
    g.connect("picture.out", "during.images")
    second = train(g, workspace, targets=["train"], on_event=listen)
    assert names(workspace) == ["log.txt", "seen-000004.png"]
    assert "nothing to train" in "\n".join(logs)
    assert any("it runs for step 4, and is not caught up for those before" in line for line in logs)
    assert second.outputs["train.losses"] == first.outputs["train.losses"]
    train(g, workspace, targets=["train"])
    assert names(workspace) == ["log.txt", "seen-000004.png"]
