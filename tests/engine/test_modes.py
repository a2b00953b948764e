"""Mute and bypass (DESIGN §4)."""

import pytest

from .support import codes, graph, problems, run


def modes(g, **which):
    for id, mode in which.items():
        g.nodes[id].mode = mode
    return g


def number(value):
    return ("toy.number", {"value": value})


def test_bypass_hands_on_the_first_input_that_fits(workspace):
    g = graph({"a": number(1), "b": number(2), "add": "toy.add", "end": "toy.add"},
              {"add.a": "a.out", "add.b": "b.out", "end.a": "add.out"})  # fmt: skip
    assert run(g, workspace).outputs["end.out"] == 3
    done = run(modes(g, add="bypass"), workspace, targets=["end"])
    assert done.outputs["end.out"] == 1 and done.ran == ["a", "end"]
    del g.edges["add.a"]
    assert run(g, workspace).outputs["end.out"] == 2


def test_bypass_follows_chains_in_any_order(workspace):
    g = graph({"z": "toy.add", "m": "toy.add", "b": "toy.add", "n": number(7)},
              {"b.a": "n.out", "m.a": "b.out", "z.a": "m.out"})  # fmt: skip
    assert run(modes(g, m="bypass", b="bypass"), workspace).outputs["z.out"] == 7


def test_bypass_of_generic_ports_goes_by_the_variable(workspace):
    g = graph({"w": ("toy.word", {"text": "x"}), "n": number(4), "choose": ("toy.choose", {"take": "b"}), "out": "toy.write"},
              {"choose.a": "w.out", "choose.b": "n.out", "out.value": "choose.out"})  # fmt: skip
    del g.edges["choose.b"]
    run(modes(g, choose="bypass"), workspace)
    assert (workspace / "out" / "toy.txt").read_text() == "x"


def test_bypass_without_a_fit_drops_optional_and_list_wires(workspace):
    g = graph({"w": ("toy.word", {"text": "x"}), "save": "toy.write", "n": number(3), "join": "toy.sum", "add": "toy.add"},
              {"save.value": "w.out", "add.a": "n.out", "join.numbers.0": "n.out"})  # fmt: skip
    g.add("toy.numbers", "list")
    g.add("toy.each", "each")
    g.edges |= {"each.items": "list.out"}
    two = graph({"n": number(3), "split": "toy.split", "sum": "toy.sum", "add": "toy.add"},
                {"split.a": "n.out", "sum.numbers.0": "split.rest", "sum.numbers.1": "n.out", "sum.numbers.2": "split.whole",
                 "add.a": "n.out", "add.b": "split.whole"})  # fmt: skip
    assert run(modes(two, split="bypass"), workspace).outputs == {"sum.out": 6, "add.out": 3}
    assert problems(modes(g, save="bypass", each="mute")) == []


def test_bypass_without_a_fit_for_a_required_wire_is_an_error():
    g = graph({"w": ("toy.word", {}), "save": "toy.write", "add": "toy.write", "n": number(1)},
              {"save.value": "n.out", "add.value": "save.out"})  # fmt: skip
    modes(g, save="bypass")
    found = problems(g)
    assert (found[0].code, found[0].node, found[0].port) == ("E_BYPASS", "save", "out")
    assert "add.value" in found[0].message


def test_bypass_looks_at_facts():
    g = graph({"a": ("w.make", {"family": "one"}), "b": ("w.make", {"family": "two"}), "hand": "w.hand_on", "run": "w.run"},
              {"hand.model": "a.model", "run.model": "hand.out"})  # fmt: skip
    assert codes(modes(g, hand="bypass")) == []


def test_a_region_owner_can_be_muted_not_bypassed(workspace):
    g = graph({"list": "toy.numbers", "each": "toy.each", "in": ("toy.add", {}, "each"), "n": number(2), "end": "toy.add",
               "tail": "toy.write"},
              {"each.items": "list.out", "in.a": "each.item", "each.result": "in.out", "end.a": "n.out",
               "tail.value": "each.out"})  # fmt: skip
    assert ("E_MODE", "each") in codes(modes(g, each="bypass"))
    done = run(modes(g, each="mute"), workspace)
    assert done.outputs == {"end.out": 2}
    assert [p.code for p in done.problems] == ["W_MUTED"] and done.problems[0].node == "tail"


def test_muting_what_an_exit_needs_mutes_the_region():
    g = graph({"list": "toy.numbers", "each": "toy.each", "in": ("toy.add", {}, "each")},
              {"each.items": "list.out", "in.a": "each.item", "each.result": "in.out"})  # fmt: skip
    found = problems(modes(g, **{"in": "mute"}))
    assert [(p.code, p.where, p.severity) for p in found] == [("W_MUTED", "each.result", "warning")]


def test_mute_takes_wires_away_and_mutes_required_readers(workspace):
    g = graph({"a": number(1), "b": number(2), "add": "toy.add", "sum": "toy.sum", "needs": "toy.add", "more": "toy.add"},
              {"add.a": "b.out", "add.b": "a.out", "sum.numbers.0": "a.out", "sum.numbers.1": "b.out", "needs.a": "a.out",
               "more.a": "needs.out"})  # fmt: skip
    done = run(modes(g, a="mute"), workspace)
    assert done.outputs == {"add.out": 2, "sum.out": 2}
    assert [(p.code, p.where) for p in done.problems] == [("W_MUTED", "needs.a"), ("W_MUTED", "more.a")]


def test_a_list_port_without_any_wire_left_mutes_its_node():
    g = graph({"a": number(1), "sum": "toy.sum"}, {"sum.numbers.0": "a.out"})
    assert codes(modes(g, a="mute")) == [("W_MUTED", "sum.numbers")]


def test_a_muted_source_of_a_setting_leaves_the_stored_value(workspace):
    g = graph(
        {"a": number(5), "add": ("toy.add", {"plus": 3}), "n": number(1)}, {"add.plus": "a.out", "add.a": "n.out"}
    )
    assert run(g, workspace).outputs["add.out"] == 6
    assert run(modes(g, a="mute"), workspace).outputs["add.out"] == 4


def test_bypass_goes_before_mute():
    g = graph({"a": number(1), "by": "toy.add", "end": "toy.add"}, {"by.a": "a.out", "end.a": "by.out"})
    assert codes(modes(g, a="mute", by="bypass")) == [("W_MUTED", "end.a")]


def test_what_only_fed_a_muted_node_does_not_run_for_nothing(workspace):
    g = graph({"a": number(1), "dear": "toy.add", "save": "toy.write", "b": number(2)},
              {"dear.a": "a.out", "save.value": "dear.out"})  # fmt: skip
    assert run(modes(g, save="mute"), workspace).ran == ["b"]
    assert run(g, workspace, targets=["dear"]).ran == ["a", "dear"]


def test_outputs_of_the_interface_follow_the_modes(workspace):
    g = graph({"a": number(1), "add": "toy.add"}, {"add.a": "a.out"})
    g.interface.outputs["sum"] = "add.out"
    assert run(modes(g, add="bypass"), workspace).outputs["sum"] == 1
    assert codes(modes(g, add="mute")) == [("W_MUTED", "add.out")]


def test_an_unknown_node_can_be_muted():
    g = graph({"x": "nobody.knows", "a": "toy.add", "n": number(1)}, {"a.b": "x.out", "a.a": "n.out"})
    assert ("E_TYPE_UNKNOWN", "x") in codes(g)
    assert codes(modes(g, x="mute")) == []


def test_a_muted_target_is_told(workspace):
    from hcpgraph import GraphErrors

    with pytest.raises(GraphErrors, match="muted"):
        run(modes(graph({"a": number(1), "b": number(1)}), a="mute"), workspace, targets=["a"])


def test_a_ring_of_bypassed_nodes_is_no_endless_loop():
    g = graph({"a": "toy.add", "b": "toy.add", "c": "toy.add"}, {"a.a": "b.out", "b.a": "a.out", "c.a": "b.out"})
    assert [code for code, _ in codes(modes(g, a="bypass", b="bypass"))] == [
        "E_BYPASS",
        "E_BYPASS",
        "E_BYPASS",
        "E_PORT_MISSING",
    ]


def test_an_instance_can_be_muted_not_bypassed():
    g = graph({"sub": "graph:s", "end": "toy.add", "n": number(0)}, {"end.b": "sub.value", "end.a": "n.out"})
    inner = graph({"a": number(2)})
    inner.interface.outputs["value"] = "a.out"
    g.graphs["s"] = inner
    assert codes(modes(g, sub="bypass")) == [("E_MODE", "sub")]
    assert codes(modes(g, sub="mute")) == []
