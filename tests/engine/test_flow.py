"""Loops and branches, with the toy nodes and with the flow nodes that ship (DESIGN §3, §5)."""

import pytest

from .support import codes, graph, module, run


@pytest.fixture
def calls():
    trace = module("calls").CALLS
    trace.clear()
    yield trace
    trace.clear()


@pytest.mark.parametrize(
    ("repeat", "times"), [("toy.repeat", 0), ("toy.repeat", 1), ("toy.repeat", 4), ("flow.repeat", 3)]
)
def test_repeat_hands_on_its_state(workspace, repeat, times):
    g = graph({"n": ("toy.number", {"value": 1}), "rep": (repeat, {"times": times}), "in": ("toy.sum", {}, "rep")},
              {"rep.state": "n.out", "in.numbers.0": "rep.state", "in.numbers.1": "rep.state", "in.numbers.2": "rep.index",
               "rep.next": "in.out"})  # fmt: skip
    state = 1
    for index in range(times):
        state = 2 * state + index
    assert run(g, workspace).outputs["rep.out"] == state


def test_repeat_stops_when_it_is_told(workspace):
    g = graph({"n": ("toy.number", {"value": 0}), "rep": ("toy.repeat", {"times": 9}), "in": ("toy.add", {"plus": 1}, "rep"),
               "yes": ("value.bool", {"value": True})},
              {"rep.state": "n.out", "in.a": "rep.state", "rep.next": "in.out", "rep.stop": "yes.out"})  # fmt: skip
    assert run(g, workspace).outputs["rep.out"] == 1


@pytest.mark.parametrize("values", [[], [5.0], [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("each", ["toy.each", "flow.for_each"])
def test_for_each(workspace, each, values):
    g = graph({"list": ("toy.numbers", {"values": values}), "each": each, "in": ("toy.add", {"plus": 10}, "each")},
              {"each.items": "list.out", "in.a": "each.item", "in.b": "each.index", "each.result": "in.out"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [v + i + 10 for i, v in enumerate(values)]


def test_state_lives_as_long_as_one_call_of_its_owner(workspace):
    g = graph({"list": "toy.numbers", "outer": "toy.each", "inner": ("toy.each", {}, "outer"), "count": ("toy.counter", {}, "inner")},
              {"outer.items": "list.out", "inner.items": "list.out", "count.a": "inner.index", "inner.result": "count.out",
               "outer.result": "inner.out"})  # fmt: skip
    assert run(g, workspace).outputs["outer.out"] == [[1, 3, 5]] * 3


def branches(take=None, **settings):
    return graph({"a": ("calls.pure", {"plus": 1}), "b": ("calls.pure", {"plus": 2}), "choose": ("toy.choose", {"take": take or "a"}),
                  **settings}, {"choose.a": "a.out", "choose.b": "b.out"})  # fmt: skip


@pytest.mark.parametrize("take", ["a", "b"])
def test_the_branch_not_taken_does_not_run(workspace, calls, take):
    done = run(branches(take), workspace)
    assert calls == done.ran[:1] == [take] and done.outputs["choose.out"] == {"a": 1, "b": 2}[take]


@pytest.mark.parametrize("word", ["toy.word", "toy.read"])
@pytest.mark.parametrize("take", ["a", "b"])
def test_a_branch_chosen_through_a_wire(workspace, calls, take, word):
    """From a value node it is known while planning, from a file only at run time."""
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "which").write_text(take)
    settings = {"text": take} if word == "toy.word" else {"path": "data:which"}
    g = branches("a", which=(word, settings))
    g.edges["choose.take"] = "which.out"
    assert codes(g, workspace=workspace) == []
    assert run(g, workspace).outputs["choose.out"] == {"a": 1, "b": 2}[take]
    assert calls == [take]


def test_a_branch_in_a_body_is_chosen_before_the_run_or_where_it_begins(workspace, calls):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "which").write_text("a")
    g = graph({"list": "toy.numbers", "each": "toy.each", "a": ("calls.pure", {}, "each"), "b": ("calls.pure", {}, "each"),
               "choose": ("toy.choose", {"take": "b"}, "each"), "which": ("toy.read", {"path": "data:which"})},
              {"each.items": "list.out", "a.a": "each.item", "b.a": "each.item", "choose.a": "a.out", "choose.b": "b.out",
               "each.result": "choose.out"})  # fmt: skip
    assert run(g, workspace, targets=["each"]).outputs["each.out"] == [1, 2, 3]
    assert set(calls) == {"b"}
    g.edges["choose.take"] = "which.out"
    calls.clear()
    assert run(g, workspace, targets=["each"]).outputs["each.out"] == [1, 2, 3]
    assert set(calls) == {"a"}


def test_switch_of_the_shipped_pack(workspace, calls):
    g = graph({"a": ("calls.pure", {"plus": 1}), "b": ("calls.pure", {"plus": 2}), "s": ("flow.switch", {"condition": False})},
              {"s.on_true": "a.out", "s.on_false": "b.out"})  # fmt: skip
    assert run(g, workspace).outputs["s.out"] == 2 and calls == ["b"]


def test_a_chosen_branch_that_is_not_connected_gives_the_default(workspace):
    g = branches("b")
    del g.edges["choose.b"]
    assert run(g, workspace).outputs["choose.out"] is None
