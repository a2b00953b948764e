"""Every problem at once: settings, wires into settings, versions, requirements, paths, streams (DESIGN §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hcpgraph import GraphErrors
from hcpgraph.checking.analyse import satisfies

from .support import codes, graph, module, problems, run


@pytest.mark.slow
def test_every_problem_is_told_at_once():
    g = graph({"a": "toy.add", "b": ("toy.repeat", {"times": -1, "tims": 2}), "c": ("nope.nope", {}), "r": "toy.read"},
              {"x.a": "a.out"})  # fmt: skip
    assert {code for code, _ in codes(g)} == {"E_NODE_UNKNOWN", "E_PORT_MISSING", "E_EXIT_MISSING", "E_SETTING", "E_SETTING_UNKNOWN",
                                              "E_TYPE_UNKNOWN", "E_SETTING_MISSING"}  # fmt: skip
    assert problems(graph({})) == []


def test_versions_of_nodes():
    g = graph({"a": "toy.number", "b": "toy.number"})
    g.nodes["a"].version = 9
    assert codes(g) == [("E_VERSION", "a")]


@pytest.mark.parametrize(
    ("present", "wanted", "fits"),
    [
        ("0.1.0", ">=0.1", True),
        ("0.1.0", ">=0.2", False),
        ("0.2.0rc1", ">=0.1", True),
        ("1", "nonsense", False),
        ("2", "==2.*", True),
    ],
)
def test_satisfies(present, wanted, fits):
    assert satisfies(present, wanted) is fits


NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
VERSIONS = NUMBERS | st.builds("{}{}".format, NUMBERS, st.sampled_from(["rc1", ".dev2", ".post1", "+cpu", "a1"]))


@given(VERSIONS, st.builds("{}{}".format, st.sampled_from([">=", ">= ", ">", "==", "~=", "", ">=v"]), VERSIONS))
def test_what_plain_numbers_ask_for_is_what_packaging_says(present, wanted):
    try:
        said = SpecifierSet(wanted).contains(present, prereleases=True)
    except InvalidSpecifier:
        said = False
    assert satisfies(present, wanted) is said


def test_requirements():
    g = graph({"a": "toy.number"}, requires={"hcpgraph": ">=99", "packs": {"nobody": ">=1", "hcpgraph_nodes": ">=0.1"}})
    assert [(p.code, p.severity) for p in problems(g)] == [("E_REQUIRES", "error"), ("W_PACK_MISSING", "warning")]


def test_paths_are_checked_before_the_run(workspace):
    g = graph(
        {
            "a": ("toy.read", {"path": "data:../x"}),
            "b": ("toy.read", {"path": "/etc/passwd"}),
            "c": ("toy.read", {"path": "data:x"}),
        }
    )
    assert codes(g, workspace=workspace) == [("E_PATH", "a.path"), ("E_PATH", "b.path")]
    assert ("E_NOT_FOUND", "c.path") in codes(g, workspace=workspace, files=True)


def wired(target="add.plus", **nodes):
    return graph(
        {"add": ("toy.add", {"plus": 100}), "n": ("toy.number", {"value": 1}), **nodes},
        {"add.a": "n.out", target: "v.out"},
    )


def test_a_value_node_is_folded_and_beats_the_stored_value(workspace):
    g = wired(v=("toy.number", {"value": 5}))
    done = run(g, workspace)
    assert done.outputs["add.out"] == 6 and done.ran == ["n", "v", "add"]
    assert g.nodes["add"].settings == {"plus": 100}


def test_folding_goes_through_value_nodes(workspace):
    g = wired(v=("value.math", {"operation": "mul", "b": 4}), u=("toy.number", {"value": 3}))
    g.edges["v.a"] = "u.out"
    assert run(g, workspace).outputs["add.out"] == 13


def test_a_folded_value_is_checked_as_if_written():
    g = graph({"v": ("toy.number", {"value": 5}), "rep": "toy.repeat", "s": ("value.int", {"value": -1}), "p": ("files.picture", {"level": 3})},
              {"rep.state": "v.out", "rep.next": "rep.state", "rep.times": "s.out", "p.level": "s.out"})  # fmt: skip
    found = problems(g)
    assert [(p.code, p.where) for p in found] == [("E_SETTING", "rep.times"), ("E_SETTING", "p.level")]
    assert "is -1" in found[0].message
    g.set("s.value", 13)
    assert codes(g) == [("E_RULE", "p.level")]


def test_value_nodes_that_fail_are_told_once():
    g = wired(v=("value.math", {"operation": "div", "a": 1, "b": 0}))
    assert [where for code, where in codes(g) if code.startswith("E_")] == ["v"] or codes(g)[0][1].startswith("v")
    g = wired(v=("toy.number", {"value": "x"}))
    assert codes(g) == [("E_SETTING", "v.value")]


def test_a_wire_that_is_not_folded_is_checked_when_it_is_there(workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "text").write_text("c")
    g = graph({"c": "toy.choose", "n": ("toy.number", {"value": 2}), "m": ("toy.add", {"plus": 4}), "add": ("toy.add", {"plus": 100}),
               "r": ("toy.read", {"path": "data:text"})},
              {"m.a": "n.out", "add.a": "n.out", "add.plus": "m.out", "c.a": "n.out", "c.take": "r.out"})  # fmt: skip
    done = run(g, workspace, on_error="continue")
    assert done.outputs["add.out"] == 8
    assert done.failed["c"].problem.code == "E_SETTING" and done.failed["c"].problem.port == "take"


def test_settings_that_must_be_known_refuse_run_time_wires():
    nodes = {
        "n": "toy.number",
        "v": "toy.add",
        "w": ("toy.read", {"path": "data:x"}),
        "list": "toy.numbers",
        "each": "toy.each",
    }
    edges = {"v.a": "n.out", "each.items": "list.out"}
    klass = graph(nodes | {"c": ("calls.state", {}, "each"), "k": ("toy.counter", {}, "each"), "s": "toy.split"},
                  edges | {"s.a": "v.out", "k.start": "s.whole", "k.a": "each.item", "each.result": "k.out"})  # fmt: skip
    assert codes(klass) == [("E_WIRED", "k.start")]
    fact = graph(nodes | {"m": "w.make"}, edges | {"m.family": "w.out", "each.result": "each.item"})
    assert codes(fact) == [("E_WIRED", "m.family")]
    path = graph(nodes | {"r": "toy.read"}, edges | {"r.path": "w.out", "each.result": "each.item"})
    assert codes(path) == [("E_WIRED", "r.path")]


def test_an_unfolded_value_node_counts_as_run_time(workspace):
    """`value.math` folds, but not when what feeds it is only known in the run."""
    g = graph({"n": "toy.number", "a": ("toy.add", {"plus": 2}), "v": "value.math", "m": ("w.make", {}), "t": "toy.word", "add": "toy.add"},
              {"a.a": "n.out", "v.a": "a.out", "add.a": "n.out", "add.plus": "v.out"})  # fmt: skip
    assert run(g, workspace).outputs["add.out"] == 2
    text = graph(
        {"r": ("toy.read", {"path": "data:x"}), "j": "value.join", "m": "w.make"},
        {"j.texts.0": "r.out", "m.family": "j.out"},
    )
    assert codes(text) == [("E_WIRED", "m.family")]


def test_required_settings_may_come_over_a_wire():
    g = graph({"w": ("toy.word", {"text": "data:x"}), "r": "toy.read"}, {"r.path": "w.out"})
    assert codes(g) == []
    del g.edges["r.path"]
    assert codes(g) == [("E_SETTING_MISSING", "r.path")]


def test_an_invariant_may_feed_a_setting_in_a_body(workspace):
    g = graph({"n": ("toy.number", {"value": 1}), "v": ("toy.add", {"plus": 4}), "list": "toy.numbers", "each": "toy.each",
               "in": ("toy.add", {}, "each")},
              {"v.a": "n.out", "each.items": "list.out", "in.a": "each.item", "in.plus": "v.out", "each.result": "in.out"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [6, 7, 8]


def test_two_nodes_with_one_stream():
    g = graph({"a": "toy.draw", "b": "toy.draw", "n": "toy.number"})
    assert codes(g) == []
    g.nodes["b"].stream = g.nodes["n"].stream = "a"
    assert [(p.code, p.where, p.severity) for p in problems(g)] == [("W_STREAM", "b", "warning")]


def test_validation_of_an_invalid_graph_runs_and_writes_nothing(workspace):
    trace = module("calls").CALLS
    trace.clear()
    with pytest.raises(GraphErrors):
        run(graph({"a": "calls.pure", "b": "toy.add"}), workspace)
    assert trace == [] and not workspace.exists()
