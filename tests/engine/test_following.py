"""Settings that come over wires from inside of a region are read anew in every pass (DESIGN §10.23)."""

from __future__ import annotations

import pytest

from .support import codes, graph, run

LIST = {"list": ("toy.numbers", {"values": [1.0, 2.0, 3.0]}), "each": "toy.each"}
LIST_WIRES = {"each.items": "list.out"}


def in_each(nodes, edges):
    inside = {
        id: (what[0], what[1], "each") if isinstance(what, tuple) else (what, {}, "each") for id, what in nodes.items()
    }
    return graph(LIST | inside, LIST_WIRES | edges)


def test_a_setting_follows_the_passes_and_beats_what_is_written(workspace):
    g = in_each(
        {"add": ("toy.add", {"plus": 100})}, {"add.a": "each.item", "add.plus": "each.index", "each.result": "add.out"}
    )
    assert run(g, workspace).outputs["each.out"] == [1, 3, 5]


def test_a_chain_of_value_nodes_follows_too(workspace):
    nodes = {"twice": ("value.math", {"operation": "mul", "b": 2.0}), "more": ("value.math", {"b": 0.5}),
             "whole": ("value.round", {"mode": "up"}), "add": "toy.add"}  # fmt: skip
    wires = {"twice.a": "each.item", "more.a": "twice.out", "whole.value": "more.out", "add.plus": "whole.out",
             "add.a": "each.item", "each.result": "add.out"}  # fmt: skip
    assert run(in_each(nodes, wires), workspace).outputs["each.out"] == [1 + 3, 2 + 5, 3 + 7]


def test_what_does_not_fit_in_a_later_pass_names_node_and_setting(workspace):
    """The first value fits, so that it is the check of a pass that finds it."""
    g = in_each({"again": ("toy.repeat", {})}, {"again.state": "each.item", "again.next": "again.state", "again.times": "down.out",
                                               "each.result": "again.out"})  # fmt: skip
    g.add("value.math", "less", operation="sub", b=2.0, inside="each")
    g.add("value.math", "flip", operation="mul", b=-1.0, inside="each")
    g.add("value.round", "down", inside="each")
    for target, source in {"less.a": "each.item", "flip.a": "less.out", "down.value": "flip.out"}.items():
        g.connect(source, target)
    error = run(g, workspace, on_error="continue").failed["each"].problem
    assert (error.code, error.node, error.port) == ("E_SETTING", "again", "times")
    g.set("less.b", 4.0)
    assert run(g, workspace).outputs["each.out"] == [1, 2, 3]


def test_the_settings_of_an_owner_follow_its_passes(workspace):
    g = in_each({"again": ("toy.repeat", {})}, {"again.state": "each.item", "again.times": "each.index", "again.next": "more.out",
                                               "each.result": "again.out"})  # fmt: skip
    g.add("toy.add", "more", inside="again", plus=10.0)
    g.connect("again.state", "more.a")
    assert run(g, workspace).outputs["each.out"] == [1, 12, 23]


def test_a_wire_from_a_region_around_is_read_once_a_call(workspace):
    """The inner body is bound anew in each pass of the outer one; a class node there takes it when it is made."""
    g = in_each(
        {"again": ("toy.repeat", {"times": 2})},
        {"again.state": "each.item", "again.next": "more.out", "each.result": "again.out"},
    )
    g.add("toy.add", "more", inside="again")
    g.connect("again.state", "more.a")
    g.connect("each.index", "more.plus")
    assert run(g, workspace).outputs["each.out"] == [1, 4, 7]


def test_values_that_only_settings_read_are_kept_until_then(workspace):
    """`sum` frees nothing that the setting behind it reads."""
    g = in_each({"s": ("toy.add", {"plus": 1.0}), "t": "toy.add", "u": "toy.add"},
                {"s.a": "each.item", "t.a": "s.out", "u.a": "t.out", "u.plus": "s.out", "each.result": "u.out"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [4, 6, 8]


@pytest.mark.parametrize(("node", "setting", "source"), [
    ("toy.counter", "start", "each.index"), ("w.make", "family", "word.out"), ("toy.read", "path", "word.out"),
    ("toy.write", "path", "word.out"), ("python.object", "path", "word.out"),
])  # fmt: skip
def test_what_must_be_known_before_the_run_is_refused_in_a_step(node, setting, source):
    """Class nodes, facts, files to read and to write, trusted classes."""
    g = in_each(
        {"x": node, "word": "value.pick"},
        {"word.index": "each.index", f"x.{setting}": source, "each.result": "each.item"},
    )
    g.add("value.list", "words", value=["data:x"])
    g.connect("words.out", "word.items")
    if node == "toy.write":
        g.connect("each.item", "x.value")
    assert ("E_WIRED", f"x.{setting}") in codes(g)


@pytest.mark.parametrize("setting", ["a", "b"])
def test_the_key_follows_what_feeds_a_setting(workspace, setting):
    g = in_each({"v": ("value.math", {"b": 2.0}), "add": "toy.add"},
                {"v.a": "each.item", "add.a": "each.item", "add.plus": "v.out", "each.result": "add.out"})  # fmt: skip
    cache = __import__("hcpgraph").Cache()
    first = run(g, workspace, cache=cache)
    assert run(g, workspace, cache=cache).ran == [] and "each" in first.ran
    if setting == "b":
        g.set("v.b", 3.0)
    else:
        g.connect("each.index", "v.a")
    assert run(g, workspace, cache=cache).ran == ["each"]
