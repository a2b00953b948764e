"""What runs for which targets, at the top and in bodies (DESIGN §3, §7)."""

import pytest

from hcpgraph import GraphErrors

from .support import graph, module, run


@pytest.fixture
def calls():
    trace = module("calls").CALLS
    trace.clear()
    yield trace
    trace.clear()


def chains():
    return graph({"n": "toy.number", "a": "toy.add", "b": "toy.add", "c": "toy.add", "save": "toy.write"},
                 {"a.a": "n.out", "b.a": "a.out", "c.a": "n.out", "save.value": "a.out"})  # fmt: skip


def test_by_default_everything_that_writes_or_ends(workspace):
    done = run(chains(), workspace)
    assert set(done.ran) == {"n", "a", "b", "c", "save"}
    assert set(done.outputs) == {"b.out", "c.out", "save.out"}


@pytest.mark.parametrize(
    ("targets", "ran", "outputs"),
    [
        (["b"], ["n", "a", "b"], {"b.out"}),
        (["a.out", "c"], ["n", "a", "c"], {"a.out", "c.out"}),
        (["n"], ["n"], {"n.out"}),
        (["b", "b"], ["n", "a", "b"], {"b.out"}),
    ],
)
def test_dead_nodes_do_not_run(workspace, targets, ran, outputs):
    done = run(chains(), workspace, targets=targets)
    assert done.ran == ran and set(done.outputs) == outputs


def test_wrong_targets_are_all_told(workspace):
    g = graph({"n": "toy.numbers", "e": "toy.each", "in": ("toy.add", {}, "e")},
              {"e.items": "n.out", "in.a": "e.item", "e.result": "in.out"})  # fmt: skip
    with pytest.raises(GraphErrors) as raised:
        run(g, workspace, targets=["nn", "n.outt", "in", "e.item"])
    assert [p.code for p in raised.value.problems] == ["E_TARGET"] * 4
    assert not (workspace / "runs").exists()


def test_in_a_body_what_reaches_an_exit_or_writes(workspace, calls):
    g = graph({"n": "toy.numbers", "e": "toy.each", "used": ("calls.pure", {}, "e"), "dead": ("calls.pure", {}, "e"),
               "seen": ("calls.pure", {"plus": 10}, "e"), "log": ("calls.write", {}, "e")},
              {"e.items": "n.out", "used.a": "e.item", "dead.a": "e.item", "seen.a": "e.item", "log.a": "seen.out",
               "e.result": "used.out"})  # fmt: skip
    assert run(g, workspace).outputs["e.out"] == [1, 2, 3]
    passes = [set(calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert passes == [{"used", "seen", f"log={i}"} for i in (11, 12, 13)]


def test_a_region_without_exits_runs_what_writes(workspace, calls):
    g = graph({"loop": ("calls.loop", {"steps": 2}), "at": ("calls.step", {}, "loop"), "log": ("calls.write", {}, "loop")},
              {"log.a": "at.out"})  # fmt: skip
    run(g, workspace)
    assert calls == ["at", "log=0", "at", "log=1"]


def test_a_region_inside_a_body_is_demanded_like_a_node(workspace, calls):
    g = graph({"n": "toy.numbers", "e": "toy.each", "inner": ("calls.loop", {"steps": 1}, "e"), "log": ("calls.write", {}, "inner"),
               "feed": ("calls.pure", {}, "e")},
              {"e.items": "n.out", "e.result": "e.item", "feed.a": "e.item", "log.a": "feed.out"})  # fmt: skip
    run(g, workspace)
    assert calls == ["feed", "log=1", "feed", "log=2", "feed", "log=3"]
