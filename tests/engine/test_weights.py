"""Whose weights are where, stale reads, hoisting (DESIGN §5.2, §5.7), with weights that are plain numbers."""

import pytest

from hcpgraph.checking.analyse import analyse
from hcpgraph.declaring.registry import default_registry
from hcpgraph.paths import Roots

from .support import ALL, codes, graph, module, problems, run


def training(nodes=None, edges=None):
    """make -> mover -> train, whose body runs the model that is trained."""
    return graph(
        {"make": "w.make", "mover": "w.mover", "train": ("w.train", {"steps": 3}), "in": ("w.run", {}, "train"), **(nodes or {})},
        {"mover.knobs.0": "make.knobs", "train.optimizer": "mover.out", "in.model": "make.model", "train.loss.0": "in.out",
         **(edges or {})},
    )  # fmt: skip


AFTER = {"after.value": "make.model", "after.trained": "train.trained"}


def weights(g, workspace):
    return analyse(g, default_registry(ALL), Roots(workspace)).weights


def test_the_weights_of_every_wire(workspace):
    g = training({"plug": "w.plug", "on": "w.hand_on"}, {"plug.model": "make.other", "on.model": "plug.model"})
    found = weights(g, workspace)
    assert found.wire["make", "model"] == {"make:model"} and found.wire["make", "other"] == {"make:other"}
    assert found.wire["make", "knobs"] == {"make:model"} and found.wire["mover", "out"] == {"make:model"}
    assert found.wire["plug", "model"] == found.wire["on", "out"] == {"make:other", "plug:plugin"}
    assert found.wire["plug", "knobs"] == {"plug:plugin"}
    assert found.trains == {"train": {"make:model"}}
    assert ("in", "out") not in found.wire


def test_a_read_beside_training_is_an_error_with_the_edge_to_insert():
    g = training({"late": "w.run"}, {"late.model": "make.model"})
    found = problems(g)
    assert [(p.code, p.where) for p in found] == [("E_STALE", "late.model")]
    assert "value <- make.model" in found[0].hint and "trained <- train.trained" in found[0].hint
    assert codes(training({"late": "w.run"}, {"late.model": "make.other"})) == []


def test_the_hint_repairs_it(workspace):
    g = training({"late": "w.run", "after": "w.after"}, {"late.model": "after.out", **AFTER})
    assert codes(g) == []
    assert run(g, workspace).outputs["late.out"] == 3


def test_a_read_that_training_stands_on_comes_before(workspace):
    g = training({"early": "w.run", "a": ("toy.add", {}, "train")}, {"early.model": "make.model", "a.a": "early.out",
                 "train.loss.1": "a.out"})  # fmt: skip
    g.interface.outputs["early"] = "early.out"
    assert codes(g) == []
    assert run(g, workspace).outputs["early"] == 0


def test_two_loops_in_a_row(workspace):
    second = {"mover2": "w.mover", "train2": ("w.train", {"steps": 4}), "in2": ("w.run", {}, "train2")}
    wires = {
        "train2.optimizer": "mover2.out",
        "train2.loss.0": "in2.out",
        "mover2.knobs.0": "make.knobs",
        "in2.model": "make.model",
    }
    assert {code for code, _ in codes(training(second, wires))} == {"E_STALE"}
    ordered = {"after": "w.after", "afterk": "w.after", "late": "w.run", "after2": "w.after"}
    wires |= AFTER | {"afterk.value": "make.knobs", "afterk.trained": "train.trained", "mover2.knobs.0": "afterk.out",
                      "in2.model": "after.out", "after2.value": "after.out", "after2.trained": "train2.trained",
                      "late.model": "after2.out"}  # fmt: skip
    g = training(second | ordered, wires)
    assert codes(g) == []
    assert run(g, workspace).outputs["late.out"] == 7
    g.edges["late.model"] = "after.out"
    assert ("E_STALE", "late.model") in codes(g)


def test_a_loop_inside_for_each(workspace):
    g = graph(
        {"list": "toy.numbers", "each": "toy.each", "make": ("w.make", {}, "each"), "mover": ("w.mover", {}, "each"),
         "train": ("w.train", {"steps": 2}, "each"), "in": ("w.run", {}, "train"), "after": ("w.after", {}, "each"),
         "late": ("w.run", {}, "each"), "add": ("toy.add", {}, "each")},
        {"each.items": "list.out", "mover.knobs.0": "make.knobs", "train.optimizer": "mover.out", "in.model": "make.model",
         "train.loss.0": "in.out", "after.value": "make.model", "after.trained": "train.trained", "late.model": "after.out",
         "add.a": "late.out", "add.b": "each.item", "each.result": "add.out"},
    )  # fmt: skip
    assert codes(g) == []
    assert run(g, workspace).outputs["each.out"] == [3, 4, 5]
    g.edges["late.model"] = "make.model"
    assert codes(g) == [("E_STALE", "late.model")]


def test_trained_weights_leave_the_cache_and_frozen_ones_stay(workspace):
    from hcpgraph import Cache

    g = training({"late": "w.run", "after": "w.after", "base": "w.make", "other": "w.run"},
                 {"late.model": "after.out", "other.model": "base.model"} | AFTER)  # fmt: skip
    cache = Cache()
    assert run(g, workspace, cache=cache).outputs["late.out"] == 3
    assert set(run(g, workspace, cache=cache).cached) == {"late", "other"}
    g.add("w.both", "more")
    g.edges |= {"more.a": "after.out", "more.b": "base.other"}
    done = run(g, workspace, cache=cache)
    assert done.outputs["more.out"] == 3 and {"make", "train", "after", "more"} <= set(done.ran)
    assert {"late", "other", "base"} <= set(done.cached)


def test_a_frozen_twin_in_the_cache_is_not_trained(workspace):
    """`make` and `base` have the same key; the one that is trained gets weights of its own."""
    from hcpgraph import Cache

    g = training({"base": "w.make", "frozen": "w.run", "after": "w.after", "both": "w.both"},
                 {"frozen.model": "base.model", "both.a": "after.out", "both.b": "base.model"} | AFTER)  # fmt: skip
    cache = Cache()
    for _ in range(2):
        done = run(g, workspace, cache=cache, targets=["frozen", "both"])
        assert done.outputs == {"frozen.out": 0, "both.out": 3}


def test_weights_are_followed_through_lists_and_values_of_any_type(workspace):
    g = graph({"list": "toy.numbers", "o": "toy.each", "i": ("toy.each", {}, "o"), "m": ("w.make", {}, "i"), "join": "value.list"},
              {"o.items": "list.out", "i.items": "list.out", "i.result": "m.model", "o.result": "i.out"})  # fmt: skip
    found = weights(g, workspace)
    assert found.wire["o", "out"] == {"m:model"} and found.wire["join", "out"] == frozenset()


def test_wired_handles_in_settings_are_told_not_raised():
    g = training({"late": "toy.add", "n": "toy.number"}, {"late.a": "n.out", "late.plus": "make.model"})
    assert ("E_TYPE", "late.plus") in codes(g)


@pytest.fixture
def calls():
    trace = module("calls").CALLS
    trace.clear()
    yield trace
    trace.clear()


def repeated(type_id, times=3, **edges):
    """A node of some effect in a loop that adds it to the state."""
    return graph({"n": ("toy.number", {"value": 1}), "rep": ("toy.repeat", {"times": times}), "x": (type_id, {}, "rep"),
                  "add": ("toy.add", {}, "rep")},
                 {"rep.state": "n.out", "x.a": "n.out", "add.a": "rep.state", "add.b": "x.out", "rep.next": "add.out",
                  **edges})  # fmt: skip


@pytest.mark.parametrize(("effect", "count"), [("pure", 1), ("random", 3), ("step", 3), ("state", 3)])
def test_only_pure_nodes_are_hoisted(workspace, calls, effect, count):
    run(repeated(f"calls.{effect}"), workspace)
    assert calls == ["x"] * count


def test_a_pure_node_fed_by_the_body_is_not_hoisted(workspace, calls):
    assert run(repeated("calls.pure", **{"x.b": "rep.state"}), workspace).outputs["rep.out"] == 15
    assert calls == ["x"] * 3


def test_what_reads_trained_weights_runs_every_step(workspace):
    trace = module("weights").CALLS
    trace.clear()
    g = training({"frozen": ("w.run", {}, "train"), "tail": ("toy.add", {}, "train")},
                 {"frozen.model": "make.other", "tail.a": "frozen.out", "train.loss.1": "tail.out"})  # fmt: skip
    run(g, workspace)
    assert trace.count("in") == 3 and trace.count("frozen") == 1


def test_hoisting_out_of_nested_regions_stops_where_something_changes(workspace, calls):
    g = graph(
        {"list": "toy.numbers", "n": ("toy.number", {"value": 1}), "outer": "toy.each", "inner": ("toy.each", {}, "outer"),
         "once": ("calls.pure", {}, "inner"), "outer_only": ("calls.pure", {}, "inner"), "always": ("calls.pure", {}, "inner"),
         "sum": ("toy.sum", {}, "inner")},
        {"outer.items": "list.out", "inner.items": "list.out", "once.a": "n.out", "outer_only.a": "outer.item",
         "outer_only.b": "once.out", "always.a": "inner.item", "sum.numbers.0": "once.out", "sum.numbers.1": "outer_only.out",
         "sum.numbers.2": "always.out", "inner.result": "sum.out", "outer.result": "inner.out"},
    )  # fmt: skip
    done = run(g, workspace)
    assert (calls.count("once"), calls.count("outer_only"), calls.count("always")) == (1, 3, 9)
    assert done.outputs["outer.out"] == [[1 + (o + 1) + i for i in (1, 2, 3)] for o in (1, 2, 3)]
    assert "once" in done.ran


def test_what_a_region_does_now_and_then_is_not_hoisted_into_the_loop_around_it(workspace):
    """A preview of the trained model is drawn when it is due, not at every step; what is frozen is drawn once."""
    g = training({"every": ("train.every", {"steps": 100}, "train"), "look": ("w.run", {}, "every"),
                  "tail": ("toy.add", {}, "every"), "still": ("w.run", {}, "every")},
                 {"look.model": "make.model", "tail.a": "look.out", "still.model": "make.other"})  # fmt: skip
    home = weights(g, workspace).home
    assert (home["look"], home["tail"], home["still"]) == ("every", "every", None)
