"""Settings that are as long as a training: resolved before keys, contradictions told, curves that end."""

import json

import pytest
import torch
from diffusers.optimization import get_scheduler

import hcpgraph
from hcpgraph import Graph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring.registry import default_registry
from hcpgraph.document import from_value
from hcpgraph.document.graph import Drawing
from hcpgraph.document.overrides import with_settings
from hcpgraph.requests import Requests
from hcpgraph.running.record import embedded

from .training_graphs import PACK, training


def scheduled(steps=6, *, kind="cosine", repeat=0, inside=("train", "after", "w"), loop=None, **settings) -> Graph:
    g = training(steps, **(loop or {}))
    g.add("optim.schedule", "schedule", kind=kind, **settings)
    g.connect("adamw.out", "schedule.optimizer")
    g.connect("schedule.out", "train.optimizer.0")
    if repeat:
        g.add("flow.repeat", "again", times=repeat)
        g.add("value.list", "none", settings={"value": []})
        g.connect("none.out", "again.state")
        for id in inside:
            g.move_into(id, "again")
        g.connect("w.out", "again.next")
    return g


def analysed(g, **settings):
    for name, value in settings.items():
        g.set(name.replace("__", "."), value)
    return analyse(g, default_registry([PACK]), default_roots())


def total(g):
    found = analysed(g)
    assert not found.errors, found.errors
    return found.settings["schedule"]["total_steps"]


def run(g, workspace, **options):
    rates, logs = [], []

    def hear(event):
        if event["kind"] == "metric" and "lr" in event["values"]:
            rates.append(event["values"]["lr"])
        if event["kind"] == "log":
            logs.append(event["message"])

    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, on_event=hear, **options)
    assert result.status == "done", result.failed
    return result, rates, "\n".join(logs)


def curve(kind, steps, total, warmup=0):
    """The learning rates that diffusers gives."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.01)
    scheduler = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def through_a_subgraph():
    """The schedule in a subgraph that promotes nothing of it, the steps promoted in the interface."""
    g = scheduled(7)
    del g.nodes["schedule"]
    g.graphs["decay"] = _body()
    g.nodes["decay"] = type(g.nodes["train"])(type="graph:decay", version=1)
    g.edges = {target: source for target, source in g.edges.items() if "schedule" not in target + source}
    g.edges |= {"decay.optimizer": "adamw.out", "train.optimizer.0": "decay.out"}
    return g


def _body():
    body = Drawing()
    body.add("optim.schedule", "schedule", kind="linear")
    body.interface.inputs = {"optimizer": ["schedule.optimizer"]}
    body.interface.outputs = {"out": "schedule.out"}
    return body


def test_auto_is_the_steps_of_the_loop_and_equals_a_written_number_in_every_key(workspace):
    assert total(scheduled(6)) == 6
    assert total(scheduled(6, total_steps=0)) == 6
    auto, written = (hcpgraph.plan(g, packs=[PACK], workspace=workspace) for g in
                     (scheduled(6), scheduled(6, total_steps=6)))  # fmt: skip
    assert auto.keys.of == written.keys.of and auto.keys.resumable == written.keys.resumable
    other = hcpgraph.plan(scheduled(7), packs=[PACK], workspace=workspace)
    assert other.keys.resumable["train"] != auto.keys.resumable["train"]
    assert other.keys.resumable_kin["train"] == auto.keys.resumable_kin["train"]


def test_it_follows_wires_subgraphs_nodes_between_and_promoted_settings():
    g = through_a_subgraph()
    assert analysed(g).settings["decay/schedule"]["total_steps"] == 7
    g = scheduled(6)
    g.add("value.int", "number", value=9)
    g.connect("number.out", "train.steps")
    assert total(g) == 9
    g = scheduled(6)
    g.add("optim.ema", "ema")
    g.add("flow.switch", "switch", condition=True)
    g.connect("schedule.out", "ema.optimizer")
    g.connect("ema.out", "switch.on_true")
    g.connect("adamw.out", "switch.on_false")
    g.connect("switch.out", "train.optimizer.0")
    assert total(g) == 6
    g.set("switch.condition", False)
    assert total(g) == "auto"
    g = scheduled(6)
    g.interface.inputs = {"steps": ["train.steps"]}
    assert total(with_settings(g, {"steps": 11}, default_registry([PACK]))) == 11


def test_passes_of_regions_count_where_the_weights_go_on():
    assert total(scheduled(4, repeat=3)) == 12
    assert total(scheduled(4, repeat=3, inside=("adamw", "schedule", "train", "after", "w"))) == 12
    assert total(scheduled(4, repeat=3, inside=("made", "adamw", "schedule", "train", "after", "w"))) == 4


@pytest.mark.parametrize(("draws", "wanted"), [("equal", 4), ("own", None)])
def test_items_of_a_list_begin_anew_or_have_no_known_number(draws, wanted):
    g = scheduled(4)
    g.add("value.list", "items", value=[1, 2])
    g.add("flow.for_each", "each", draws=draws)
    g.connect("items.out", "each.items")
    for id in ("train", "after", "w"):
        g.move_into(id, "each")
    g.connect("w.out", "each.result")
    if wanted:
        assert total(g) == wanted
        return
    (problem,) = analysed(g).errors
    assert (problem.code, problem.node, problem.port) == ("E_LENGTH", "schedule", "total_steps")
    g.set("schedule.total_steps", 8)
    assert not analysed(g).errors
    g.set("schedule.total_steps", "auto")
    g.set("schedule.kind", "constant")
    assert not analysed(g).errors


def test_two_loops_of_one_optimizer_are_added_up():
    g = scheduled(4)
    g.add("train.loop", "more", steps=3)
    g.connect("schedule.out", "more.optimizer", many=True)
    for id in ("batch", "pred", "target", "mse"):
        g.add(g.nodes[id].type, f"{id}2", inside="more")
    for target, source in {
        "pred2.net": "after.out", "pred2.rows": "batch2.out", "target2.net": "made.frozen",
        "target2.rows": "batch2.out", "mse2.a": "pred2.out", "mse2.b": "target2.out",
    }.items():  # fmt: skip
        g.connect(source, target)
    g.connect("mse2.out", "more.loss", many=True)
    g.add("flow.after", "after2")
    g.connect("after.out", "after2.value")
    g.connect("more.trained", "after2.trained")
    g.connect("after2.out", "w.net")
    assert total(g) == 7


@pytest.mark.parametrize(
    ("said", "words"),
    [(4, "the last 2 keep its last value"), (10, "its last 4 are never reached"), (6, None)],
)
def test_a_written_length_that_contradicts_the_loop_is_a_warning_with_both_numbers(said, words):
    found = analysed(scheduled(6, total_steps=said)).problems
    if words is None:
        assert found == []
        return
    (problem,) = found
    assert (problem.code, problem.severity, problem.node) == ("W_LENGTH", "warning", "schedule")
    assert str(said) in problem.message and "6 steps from 'train'" in problem.message and words in problem.message
    assert analysed(scheduled(6, total_steps=said, kind="constant")).problems == []


@pytest.mark.parametrize("kind", ["linear", "cosine", "cosine_with_restarts", "polynomial"])
def test_a_curve_holds_its_last_value_after_its_end(workspace, kind):
    _, rates, told = run(scheduled(9, kind=kind, total_steps=5, warmup_steps=2), workspace)
    before = curve(kind, 6, 5, 2)
    assert rates[:6] == before and rates[6:] == [before[5]] * 3
    assert f"learning rate: {kind} over 5 steps, 2 of warm-up" in told


def test_a_warm_up_is_steps_or_a_share_rounded_up(workspace):
    _, rates, _ = run(scheduled(9, warmup_steps=0.3), workspace)
    assert rates == curve("cosine", 9, 9, 3)
    (problem,) = analysed(scheduled(6, warmup_steps=2.5)).errors
    assert problem.code == "E_SETTING" and "no whole number" in problem.message


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"warmup_steps": 6}, "W_LENGTH"),
        ({"warmup_steps": 6, "kind": "constant_with_warmup"}, "W_LENGTH"),
        ({"warmup_steps": 2, "kind": "constant"}, "W_LENGTH"),
        ({"warmup_steps": 6, "total_steps": 6}, "E_SETTING"),
        ({"warmup_steps": 5}, None),
        ({"warmup_steps": 5, "kind": "constant_with_warmup"}, None),
    ],
)
# warmup_fits
def test_a_warm_up_leaves_steps_for_the_rest(settings, code):
    assert [problem.code for problem in analysed(scheduled(6, **settings)).problems] == ([code] if code else [])


def test_one_optimizer_has_one_schedule(workspace):
    g = scheduled(3, total_steps=3)
    g.add("optim.schedule", "second")
    g.connect("schedule.out", "second.optimizer")
    g.connect("second.out", "train.optimizer.0")
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace)
    assert result.failed["second"].problem.code == "E_SETTING"


def test_a_longer_curve_is_another_training_that_may_go_on(workspace, tmp_path):
    g = scheduled(4, kind="linear")
    run(g, workspace)
    g.set("train.steps", 6)
    with pytest.raises(hcpgraph.GraphErrors) as error:
        run(g, workspace)
    (problem,) = error.value.problems
    assert (problem.code, problem.node) == ("E_BEGUN", "train")
    assert "schedule.total_steps 4 (now 6, as it follows the steps of train)" in problem.message
    result, rates, told = run(g, workspace, resume=True, targets=["train"])
    assert "checkpoint of step 4 of 6" in told
    assert rates == curve("linear", 6, 6)[4:]
    assert "nothing to train" in run(g, workspace)[2]
    assert [step for step, _ in result.outputs["train.losses"].series["loss"]] == [1, 2, 3, 4, 5, 6]


def test_with_a_constant_rate_more_steps_just_go_on(workspace):
    for kind, warmup in (("constant", 0), ("constant_with_warmup", 2)):
        g = scheduled(4, kind=kind, warmup_steps=warmup)
        run(g, workspace)
        g.set("train.steps", 6)
        assert "checkpoint of step 4 of 6" in run(g, workspace)[2]


def test_a_shortened_run_carries_the_length_of_its_curve(workspace):
    requests = Requests()
    g = scheduled(40, kind="linear")

    def hear(event):
        if event["kind"] == "progress":
            requests.ask("stop")

    g.set("train.log_every", 1)
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, requests=requests, on_event=hear)
    assert result.status == "done", result.failed
    text = embedded(hcpgraph.plan(g, packs=[PACK], workspace=workspace), requests)()
    kept = from_value(json.loads(text))
    assert kept.nodes["train"].settings["steps"] == requests.shortened["train"] < 40
    assert kept.nodes["schedule"].settings["total_steps"] == 40
