"""What is different between two graphs, as values, as lines and as JSON."""

import json

import pytest

from hcpgraph.document import Drawing, Graph
from hcpgraph.document.diff import Change, diff, lines


@pytest.fixture
def old():
    g = Graph(meta={"title": "Cat"})
    g.add("train.loop", "train", steps=10)
    g.add("optim.adamw", "adamw", lr=1e-4, eps=1)
    g.add("loss.mean", "mean", inside="train")
    g.connect("mean.out", "train.loss", many=True)
    g.connect("adamw.out", "train.optimizer", many=True)
    g.interface.inputs["lr"] = ["adamw.lr"]
    return g


def test_equal_graphs_have_no_difference(old):
    assert diff(old, old.copy()) == []
    other = old.copy()
    other.nodes["train"].settings["steps"] = 10.0
    assert diff(old, other) == []


def test_every_kind_of_difference_is_told(old):
    new = old.copy()
    new.set("adamw.lr", 3e-4)
    del new.nodes["adamw"].settings["eps"]
    new.set("adamw.decay", True)
    new.nodes["mean"].type = "loss.sum"
    new.nodes["mean"].version = 2
    new.nodes["mean"].inside = None
    new.nodes["mean"].mode = "mute"
    new.nodes["mean"].stream = "other"
    new.nodes["mean"].title = "Mean"
    new.add("noise.offset", "offset", strength=0.1)
    new.edges["train.loss.0"] = "offset.out"
    new.edges["train.x"] = "offset.out"
    del new.edges["train.optimizer.0"]
    new.interface.inputs["lr"] = ["adamw.lr", "offset.strength"]
    new.interface.outputs["out"] = "train.trained"
    new.requires.packs["hcpgraph_nodes"] = ">=0.1"
    new.graphs["inner"] = Drawing()
    new.view.nodes["adamw"] = [1, 2]
    new.view.notes.append({"text": "hello"})
    new.meta.title = "Dog"
    changes = diff(old, new)
    assert lines(changes) == [
        "+ setting adamw.decay: true",
        "- setting adamw.eps: 1",
        "~ setting adamw.lr: 0.0001 -> 0.0003",
        '~ type mean: "loss.mean" -> "loss.sum"',
        "~ version mean: 1 -> 2",
        '~ in mean: "train" -> null',
        '~ mode mean: null -> "mute"',
        '~ stream mean: null -> "other"',
        '+ node offset: {"type": "noise.offset", "version": 1, "settings": {"strength": 0.1}}',
        '~ edge train.loss.0: "mean.out" -> "offset.out"',
        '- edge train.optimizer.0: "adamw.out"',
        '+ edge train.x: "offset.out"',
        '~ interface inputs.lr: ["adamw.lr"] -> ["adamw.lr", "offset.strength"]',
        '+ interface outputs.out: "train.trained"',
        "+ graph inner: []",
        '+ requires packs: {"hcpgraph_nodes": ">=0.1"}',
        "looks only:",
        '  ~ title mean: null -> "Mean"',
        "  + view nodes.adamw: [1, 2]",
        '  ~ view notes: [] -> [{"text": "hello"}]',
        '  ~ meta title: "Cat" -> "Dog"',
    ]
    assert [change.cosmetic for change in changes] == [False] * 16 + [True] * 4
    back = diff(new, old)
    assert len(back) == len(changes)
    assert {(c.what, c.place) for c in back} == {(c.what, c.place) for c in changes}


def test_subgraphs_are_compared_too(old):
    old.graphs["inner"] = Drawing()
    old.graphs["inner"].add("a.b", "x", lr=1)
    new = old.copy()
    new.graphs["inner"].set("x.lr", 2)
    new.graphs["inner"].view.nodes["x"] = [0, 0]
    assert diff(old, new) == [
        Change("setting", "inner/x.lr", "changed", 1, 2),
        Change("view", "inner/nodes.x", "added", new=[0, 0]),
    ]
    del new.graphs["inner"]
    assert [str(change) for change in diff(old, new)] == ['- graph inner: ["x"]']


def test_true_is_not_one(old):
    new = old.copy()
    new.set("adamw.eps", True)
    assert diff(old, new) == [Change("setting", "adamw.eps", "changed", 1, True)]


def test_json(old):
    new = old.copy()
    new.set("adamw.lr", 3e-4)
    new.remove("mean")
    assert json.loads(json.dumps([change.to_json() for change in diff(old, new)])) == [
        {
            "what": "setting", "place": "adamw.lr", "kind": "changed", "cosmetic": False,
            "old": 0.0001, "new": 0.0003,
        },
        {
            "what": "node", "place": "mean", "kind": "removed", "cosmetic": False,
            "old": {"type": "loss.mean", "version": 1, "in": "train"},
        },
        {"what": "edge", "place": "train.loss.0", "kind": "removed", "cosmetic": False, "old": "mean.out"},
    ]  # fmt: skip


def test_a_difference_means_another_hash(old):
    new = old.copy()
    new.set("adamw.lr", 1)
    assert old.content_hash() != new.content_hash()
    new = old.copy()
    new.view.nodes["mean"] = [1, 1]
    assert all(change.cosmetic for change in diff(old, new))
    assert old.content_hash() == new.content_hash()
