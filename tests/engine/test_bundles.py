"""A wire that stands for several: it becomes one wire a part (docs/adr/022-bundles.md)."""

import json
from typing import Any

import pytest

import hcpgraph
from hcpgraph import default_registry
from hcpgraph.checking.analyse import Analysis, analyse
from hcpgraph.paths import Roots

from .support import ALL, codes, graph, problems, run

MAKE = ("pair.make", {"name": "x"})


def found(g, workspace) -> Analysis:
    analysis = analyse(g, default_registry(ALL), Roots(workspace))
    assert analysis.errors == []
    return analysis


def out(g, workspace, port: str, **options: Any) -> Any:
    done = run(g, workspace, targets=[port], **options)
    assert done.status == "done", done.failed
    return done.outputs[port]


def test_a_pair_goes_to_ports_that_stand_for_others_and_to_those_of_one_half(workspace):
    g = graph({"m": MAKE, "r": "pair.read", "l": "pair.left"}, {"r.pair": "m.pair", "l.left": "m.pair"})
    assert out(g, workspace, "r.out") == "lx|rx" and out(g, workspace, "l.out") == "lx"
    flat = found(g, workspace).flat
    assert flat.nodes["r"].inputs == {"left": [("m", "left")], "right": [("m", "right")]}
    assert flat.nodes["l"].inputs == {"left": [("m", "left")]}
    assert set(flat.nodes) == {"m", "r", "l"}, "nothing is put in where parts are wired"


def test_what_is_wired_on_its_own_wins_over_the_pair(workspace):
    g = graph(
        {"m": MAKE, "n": ("pair.make", {"name": "y"}), "r": "pair.read"}, {"r.pair": "m.pair", "r.right": "n.right"}
    )
    assert out(g, workspace, "r.out") == "lx|ry"


def test_a_node_that_changes_one_half_is_passed_by_the_other(workspace):
    g = graph(
        {"m": MAKE, "c": "pair.change", "d": ("pair.change", {"halves": "right", "add": "!"}), "r": "pair.read"},
        {"c.pair": "m.pair", "d.pair": "c.pair", "r.pair": "d.pair"},
    )
    assert out(g, workspace, "r.out") == "lx+|rx!" and out(g, workspace, "d.said") == "rx"
    analysis = found(g, workspace)
    flat, weights = analysis.flat, analysis.weights
    assert flat.nodes["r"].inputs == {"left": [("c", "pair")], "right": [("d", "pair")]}
    assert flat.nodes["d"].inputs == {"pair": [("m", "right")]}, "the right half knows nothing of c"
    assert weights.wire[("d", "pair")] == {"m:right", "d"} and weights.wire[("c", "pair")] == {"m:left", "c"}
    assert str(analysis.wires.types[("d", "pair")]) == "Right"


def test_halves_go_their_own_ways_in_keys_too(workspace):
    """What a half stands on does not change when the other one does."""

    def keys(add: str):
        g = graph({"m": MAKE, "c": ("pair.change", {"add": add}), "s": "pair.say", "l": "pair.left", "p": "pair.split"},
                  {"c.pair": "m.pair", "p.pair": "c.pair", "s.half": "p.right", "l.left": "c.pair"})  # fmt: skip
        return hcpgraph.plan(g, packs=ALL, workspace=workspace).keys.of

    first, second = keys("+"), keys("-")
    assert first["s"] == second["s"] and first["l"] != second["l"]


@pytest.mark.parametrize("halves", ["both", "?"])
def test_a_node_that_changes_several_gets_them_as_one_value(halves, workspace):
    g = graph(
        {"m": MAKE, "c": ("pair.change", {"halves": halves}), "r": "pair.read"},
        {"c.pair": "m.pair", "r.pair": "c.pair"},
    )
    assert out(g, workspace, "r.out") == "lx+|rx+" and out(g, workspace, "c.said") == "pair"
    assert found(g, workspace).weights.wire[("c/pair", "left")] == {"m:left", "m:right", "c"}


def test_a_variable_of_one_half_takes_it_and_hands_on_the_pair(workspace):
    g = graph({"m": MAKE, "up": "pair.louder", "r": "pair.read"}, {"up.pair": "m.pair", "r.pair": "up.out"})
    assert out(g, workspace, "r.out") == "LX|rx"


def test_a_node_that_hands_on_stands_there_once_a_half_that_is_read(workspace):
    g = graph(
        {"m": MAKE, "c": "pair.copy", "d": "pair.copy", "r": "pair.left"},
        {"c.pair": "m.pair", "d.pair": "c.out", "r.left": "d.out"},
    )
    done = run(g, workspace)
    assert done.outputs["r.out"] == "((lx))" and done.ran == ["m", "c/left", "d/left", "r"]
    g.add("pair.read", "both")
    g.edges["both.pair"] = "d.out"
    assert out(g, workspace, "both.out") == "((lx))|((rx))"
    assert set(run(g, workspace, targets=["d"]).outputs) == {"d.left", "d.right"}


def test_without_readers_it_stands_there_once_every_half(workspace):
    g = graph({"m": MAKE, "c": "pair.copy"}, {"c.pair": "m.pair"})
    done = run(g, workspace)
    assert done.outputs["c/left.out"].said == "(lx)" and done.outputs["c/right.out"].said == "(rx)"


def test_a_choice_between_pairs_is_one_between_halves(workspace):
    nodes = {
        "m": MAKE,
        "n": ("pair.make", {"name": "y"}),
        "j": "pair.join",
        "choose": ("toy.choose", {"take": "b"}),
        "l": "pair.left",
    }
    edges = {"j.left": "n.left", "choose.a": "m.pair", "choose.b": "j.pair", "l.left": "choose.out"}
    g = graph(nodes, edges)
    done = run(g, workspace, targets=["l"])
    assert done.outputs["l.out"] == "ly" and "m" not in done.ran
    g.add("pair.say", "right")
    g.edges |= {"p.pair": "choose.out", "right.half": "p.right"}
    g.add("pair.split", "p")
    assert ("E_BUNDLE_PART", "right.half") in codes(g), "one of the two has no right half"


def test_join_takes_halves_from_where_they_are(workspace):
    g = graph(
        {"m": MAKE, "n": ("pair.make", {"name": "y"}), "j": "pair.join", "c": "pair.change", "r": "pair.read"},
        {"j.base": "m.pair", "j.right": "n.pair", "c.pair": "j.pair", "r.pair": "c.pair"},
    )
    done = run(g, workspace)
    assert done.outputs["r.out"] == "lx+|ry"
    assert "j" not in done.ran, "nobody needs the pair as one value"


def test_a_half_that_is_missing_is_told_where_it_is_wanted(workspace):
    g = graph({"m": MAKE, "j": "pair.join", "r": "pair.read", "c": ("pair.change", {"halves": "right"})},
              {"j.left": "m.left", "r.pair": "j.pair", "c.pair": "j.pair"})  # fmt: skip
    assert sorted(codes(g)) == [("E_BUNDLE_PART", "c.pair"), ("E_BUNDLE_PART", "r.right")]
    assert "pair.join" in problems(g)[0].hint


def test_a_join_that_nobody_needs_reads_no_weights(workspace):
    """What is trained may be joined before training: readers read its parts, and the join nothing."""
    g = graph({"m": MAKE, "n": ("pair.make", {"name": "y"}), "j": "pair.join", "c": "pair.copy", "r": "pair.read"},
              {"j.base": "m.pair", "j.right": "n.pair", "c.pair": "j.pair", "r.pair": "c.out"})  # fmt: skip
    flat = found(g, workspace).flat
    assert set(flat.nodes) == {"m", "n", "c/left", "c/right", "r"} and flat.instances == {
        "j": "pair.join",
        "c": "pair.copy",
    }
    assert set(run(g, workspace, targets=["j"]).outputs) == {"j.left", "j.right"}


def test_split_gives_halves_from_where_they_are(workspace):
    g = graph({"m": MAKE, "c": "pair.change", "p": "pair.split", "l": "pair.left", "s": "pair.say", "j": "pair.join"},
              {"c.pair": "m.pair", "p.pair": "c.pair", "l.left": "p.left", "s.half": "p.right"})  # fmt: skip
    done = run(g, workspace, targets=["l", "s"])
    assert done.outputs == {"l.out": "lx+", "s.out": "rx"} and "p" not in done.ran
    assert found(g, workspace).flat.nodes["s"].inputs == {"half": [("m", "right")]}
    g.edges |= {"j.left": "m.left", "p.pair": "j.pair"}
    assert ("E_BUNDLE_PART", "s.half") in codes(g)


def test_bypass_and_mute_see_whole_pairs(workspace):
    g = graph({"m": MAKE, "c": ("pair.change", {"halves": "both"}), "j": "pair.join", "r": "pair.read"},
              {"c.pair": "m.pair", "j.base": "c.pair", "r.pair": "j.pair"})  # fmt: skip
    for id in ("c", "j"):
        g.nodes[id].mode = "bypass"
    assert out(g, workspace, "r.out") == "lx|rx"
    g.nodes["m"].mode = "mute"
    assert {(one.code, one.node) for one in problems(g)} == {("W_MUTED", "r")}


def test_a_circle_of_pairs_is_told_as_one():
    g = graph(
        {"a": "pair.copy", "b": "pair.copy", "r": "pair.read"},
        {"a.pair": "b.out", "b.pair": "a.out", "r.pair": "a.out"},
    )
    assert "E_CYCLE" in {code for code, _ in codes(g)}


def test_families_of_halves_agree_where_they_meet(workspace):
    g = graph({"m": ("pair.make", {"family": "one"}), "n": ("pair.make", {"family": "two"}), "c": ("pair.change", {"halves": "?"}), "r": "pair.read"},
              {"r.pair": "m.pair", "r.right": "n.right", "c.pair": "m.pair"})  # fmt: skip
    assert [code for code, _ in codes(g)] == ["E_FACT"]
    g.edges = {"c.pair": "m.pair", "r.pair": "c.pair"}
    assert found(g, workspace).wires.facts[("c/pair", "left")]["family"][0] == "one"


def test_nothing_wired_is_told_once_at_the_port_that_stands_for_all():
    found = problems(graph({"r": "pair.read"}))
    assert [(one.code, one.where) for one in found] == [("E_PORT_MISSING", "r.pair")]
    assert "left, right" in found[0].hint


def test_other_values_do_not_go_into_a_port_for_pairs():
    g = graph({"n": ("toy.number", {"value": 1}), "r": "pair.read", "l": "pair.left", "m": MAKE},
              {"r.pair": "n.out", "l.left": "m.right"})  # fmt: skip
    assert {("E_TYPE", "r.pair"), ("E_TYPE", "l.left")} <= set(codes(g))
    g.edges = {"r.pair": "m.left"}
    assert ("E_TYPE", "r.pair") in codes(g), "half of a pair is wired to the port of the half"


def test_a_half_that_an_optional_port_was_wired_for_is_not_left_out_without_a_word():
    g = graph(
        {"m": MAKE, "j": "pair.join", "r": "pair.read"}, {"j.left": "m.left", "r.pair": "m.pair", "r.more": "j.pair"}
    )
    assert codes(g) == [("E_BUNDLE_PART", "r.more")]


def test_a_pair_is_one_value_in_lists_regions_and_outputs(workspace):
    g = graph(
        {"m": MAKE, "n": ("pair.make", {"name": "y"}), "list": "pair.list", "each": "toy.each",
         "c": ("pair.change", {}, "each"), "r": ("pair.read", {}, "each")},
        {"list.pairs.0": "m.pair", "list.pairs.1": "n.pair", "each.items": "list.out",
         "c.pair": "each.item", "r.pair": "c.pair", "each.result": "r.out"},
    )  # fmt: skip
    assert out(g, workspace, "each.out") == ["lx+|rx", "ly+|ry"]
    g.edges["each.result"] = "c.pair"
    assert [(p.left.said, p.right.said) for p in out(g, workspace, "each.out")] == [("lx+", "rx"), ("ly+", "ry")]
    g.interface.outputs["whole"] = "m.pair"
    assert run(g, workspace).outputs["whole"].left.said == "lx"


def test_subgraphs_take_and_give_pairs_and_promote_one_port_to_several_halves(workspace):

    inner = graph({"c": "pair.change", "l": "pair.left", "s": "pair.say"}, {"l.left": "c.pair"})
    body = {
        "interface": {
            "inputs": {"pair": ["c.pair", "s.half"]},
            "outputs": {"pair": "c.pair", "said": "l.out", "both": "s.out"},
        },
        "nodes": {id: {"type": node.type, "version": 1} for id, node in inner.nodes.items()},
        "edges": dict(inner.edges),
    }
    g = hcpgraph.loads(
        json.dumps(
            {
                "format": "hcpgraph/1",
                "nodes": {
                    "m": {"type": "pair.make", "version": 1},
                    "a": {"type": "graph:one", "version": 1},
                    "b": {"type": "graph:one", "version": 1},
                    "r": {"type": "pair.read", "version": 1},
                },
                "edges": {"a.pair": "m.pair", "b.pair": "a.pair", "r.pair": "b.pair"},
                "graphs": {"one": body},
            }
        )
    )
    done = run(g, workspace)
    assert done.outputs["r.out"] == "lx++|rx"
    assert out(g, workspace, "a.said") == "lx+" and out(g, workspace, "b.both") == "lx+&rx"
