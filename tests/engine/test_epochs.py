"""Epochs in the place of steps, and the learning rate of every parameter group."""

import math

import pytest

import hcpgraph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring.registry import default_registry

from .test_lengths import curve, run, scheduled
from .training_graphs import PACK, training


def epochs(number, *, batches=5, accumulate=1, kind="cosine", **settings):
    g = scheduled(None, kind=kind, loop={"accumulate": accumulate, "epochs": number}, **settings)
    g.add("net.loader", "loader", batches=batches)
    g.connect("loader.out", "train.loader")
    return g


def problems(g):
    return analyse(g, default_registry([PACK]), default_roots()).problems


def steps(result):
    return result.outputs["train.trained"].steps


@pytest.mark.parametrize(
    ("number", "batches", "accumulate"), [(2, 5, 1), (1.5, 5, 2), (0.1, 5, 1), (3, 4, 8), (0.2, 5, 1)]
)
def test_epochs_are_as_many_steps_as_their_batches_make(workspace, number, batches, accumulate):
    result, rates, told = run(epochs(number, batches=batches, accumulate=accumulate), workspace, targets=["train"])
    wanted = math.ceil(round(number * batches / accumulate, 9))
    assert steps(result) == wanted and rates == curve("cosine", wanted, wanted)
    assert f"{number:g} epochs of {batches} batches" in told and f": {wanted} steps" in told
    assert f"learning rate: cosine over {wanted} steps" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 10, "epochs": 2}, "10 steps and 2 epochs are both set"),
        ({"steps": None, "epochs": None}, "neither steps nor epochs"),
        ({"epochs": 2, "loader": False}, "2 epochs of what"),
        ({"epochs": 2}, None),
        ({"steps": 10, "epochs": None}, None),
    ],
)
# steps_or_epochs
def test_a_training_is_as_long_as_steps_or_epochs_say(change, message):
    g = epochs(2)
    for name, value in change.items():
        if name != "loader":
            g.set(f"train.{name}", value)
        else:
            g.remove("loader")
    found = [problem for problem in problems(g) if problem.severity == "error"]
    assert [(p.code, p.node) for p in found] == ([("E_SETTING", "train")] if message else [])
    assert not message or message in found[0].message


def test_more_epochs_of_a_curve_are_asked_about_and_go_on(workspace):
    run(epochs(1, kind="linear"), workspace)
    with pytest.raises(hcpgraph.GraphErrors) as error:
        run(epochs(2, kind="linear"), workspace)
    (problem,) = error.value.problems
    assert problem.code == "E_BEGUN" and "train.epochs 1 (now 2)" in problem.message
    _, rates, told = run(epochs(2, kind="linear"), workspace, resume=True)
    assert "checkpoint of step 5 of 10" in told and rates == curve("linear", 10, 10)[5:]


def test_more_epochs_at_a_constant_rate_and_another_loader_just_go_on(workspace):
    run(epochs(1, kind="constant"), workspace)
    assert "checkpoint of step 5 of 10" in run(epochs(2, kind="constant"), workspace)[2]
    assert "checkpoint of step 10 of 14" in run(epochs(2, batches=7, kind="constant"), workspace)[2]
    assert "checkpoint of step 14 of 20" in run(scheduled(20, kind="constant"), workspace)[2]


def test_epochs_of_a_curve_are_another_training_with_another_loader(workspace):
    def key(g):
        return hcpgraph.plan(g, packs=[PACK], workspace=workspace).keys.resumable["train"]

    assert key(epochs(1)) != key(epochs(1, batches=7)) and key(epochs(1)) != key(epochs(2))
    assert key(epochs(1, kind="constant")) == key(epochs(2, batches=7, kind="constant"))


def test_epochs_in_a_repetition_count_in_all_of_its_passes(workspace):
    g = epochs(1, kind="linear")
    g.add("flow.repeat", "again", times=2)
    g.add("value.list", "none", settings={"value": []})
    g.connect("none.out", "again.state")
    for id in ("train", "after", "w"):
        g.move_into(id, "again")
    g.connect("w.out", "again.next")
    _, rates, _ = run(g, workspace)
    assert rates == curve("linear", 10, 10)


def metrics(g, workspace):
    heard = []
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, on_event=heard.append)
    assert result.status == "done", result.failed
    return heard


def test_one_group_has_one_rate_without_a_name(workspace):
    heard = metrics(training(2), workspace)
    assert [set(e["values"]) for e in heard if e["kind"] == "metric"] == [{"loss", "lr"}] * 2


def test_every_group_has_a_rate_of_its_own_name(workspace):
    g = training(2)
    g.add("net.halves", "halves", lr=0.5)
    g.add("optim.adamw", "other", lr=0.25)
    g.connect("halves.params", "other.params", many=True)
    g.connect("other.out", "train.optimizer", many=True)
    g.add("net.run", "second", inside="train")
    g.connect("halves.net", "second.net")
    g.connect("batch.out", "second.rows")
    g.add("net.mse", "mse2", inside="train")
    g.connect("second.out", "mse2.a")
    g.connect("batch.out", "mse2.b")
    g.connect("mse2.out", "train.loss", many=True)
    heard = metrics(g, workspace)
    wanted = {"lr/net": 0.01, "lr/body": 0.25, "lr/head": 0.5}
    told = [e["values"] for e in heard if e["kind"] == "metric"]
    assert [{name: value for name, value in values.items() if name != "loss"} for values in told] == [wanted] * 2
    last = [e for e in heard if e["kind"] == "progress"][-1]
    assert wanted.items() <= last.items()
