"""Types, facts and probes on wires (DESIGN §3)."""

from hcpgraph.checking.analyse import analyse
from hcpgraph.declaring.registry import default_registry
from hcpgraph.paths import Roots

from .support import ALL, codes, graph, problems


def test_wrong_types_are_told_with_what_fits_between():
    g = graph({"w": "toy.word", "add": "toy.add", "list": "toy.numbers", "split": "toy.split"},
              {"add.a": "w.out", "split.a": "list.out"})  # fmt: skip
    found = problems(g)
    assert [(p.code, p.where) for p in found] == [("E_TYPE", "add.a"), ("E_TYPE", "split.a")]
    assert "takes float, but w.out gives str" in found[0].message
    assert "toy.sum" not in (found[0].hint or "")


def test_int_goes_into_float_not_the_other_way():
    nodes = {"n": "toy.number", "split": "toy.split", "add": "toy.add", "keep": ("toy.seeded", {})}
    assert codes(graph(nodes, {"split.a": "n.out", "add.a": "split.whole"})) == []
    assert ("E_TYPE", "keep.seed") in codes(graph(nodes, {"split.a": "n.out", "add.a": "n.out", "keep.seed": "n.out"}))


def wires(g, workspace):
    return analyse(g, default_registry(ALL), Roots(workspace)).wires


def test_generics_are_bound_once_a_node(workspace):
    g = graph({"w": "toy.word", "n": "toy.number", "choose": "toy.choose", "out": "toy.write"},
              {"choose.a": "w.out", "choose.b": "n.out", "out.value": "choose.out"})  # fmt: skip
    assert codes(g) == [("E_TYPE", "choose.b")]
    del g.edges["choose.b"]
    g.add("toy.add", "add")
    g.edges["add.a"] = "choose.out"
    assert codes(g) == [("E_TYPE", "add.a")]
    assert str(wires(g, workspace).types["choose", "out"]) == "str"


def test_a_branch_of_int_and_one_of_float_give_float(workspace):
    g = graph({"n": "toy.number", "split": "toy.split", "choose": "toy.choose"},
              {"split.a": "n.out", "choose.a": "split.whole", "choose.b": "split.rest"})  # fmt: skip
    assert str(wires(g, workspace).types["choose", "out"]) == "float"


def test_types_of_entries_and_results_of_a_region(workspace):
    g = graph({"list": "toy.numbers", "each": "toy.each", "split": ("toy.split", {}, "each")},
              {"each.items": "list.out", "split.a": "each.item", "each.result": "split.whole"})  # fmt: skip
    types = wires(g, workspace).types
    assert [str(types["each", port]) for port in ("item", "index", "out")] == ["float", "int", "list[int]"]


def test_the_state_of_a_loop_keeps_its_type():
    g = graph({"n": "toy.number", "w": ("toy.word", {}), "rep": "toy.repeat", "in": ("toy.word", {}, "rep")},
              {"rep.state": "n.out", "rep.next": "in.out"})  # fmt: skip
    assert codes(g) == [("E_TYPE", "rep.next")]


def test_facts_meet():
    nodes = {
        "a": ("w.make", {"family": "one"}),
        "b": ("w.make", {"family": "two"}),
        "both": "w.both",
        "on": "w.hand_on",
    }
    edges = {"both.a": "a.model", "on.model": "b.model", "both.b": "on.out"}
    found = [p for p in problems(graph(nodes, edges)) if p.code == "E_FACT"]
    assert [p.where for p in found] == ["both.b"]
    assert "'two' (from b.model) meets family 'one' (from a.model)" in found[0].message
    nodes["b"] = ("w.make", {"family": "one"})
    assert codes(graph(nodes, edges)) == []
    nodes["b"] = ("w.make", {"family": "auto"})
    assert codes(graph(nodes, edges)) == []


def test_a_port_may_ask_for_a_fact():
    def tiny(family):
        return graph({"a": ("w.make", {"family": family}), "t": "w.tiny_only"}, {"t.model": "a.model"})

    assert codes(tiny("tiny")) == [] and codes(tiny("auto")) == []
    assert [p.message for p in problems(tiny("big"))] == ["needs family 'tiny', but a.model has 'big' (from a.model)"]


def test_probes_read_facts_without_importing_nodes(workspace):
    (workspace / "data").mkdir(parents=True)
    for name, text in (("a", "sd one"), ("b", "flux two"), ("empty", "")):
        (workspace / "data" / name).write_text(text)

    def pair(b):
        return graph({"a": ("files.model", {"path": "data:a"}), "b": ("files.model", {"path": b}), "p": "files.pair"},
                     {"p.a": "a.out", "p.b": "b.out"})  # fmt: skip

    assert codes(pair("data:a"), workspace=workspace) == []
    assert codes(pair("data:b"), workspace=workspace) == [("E_FACT", "p.b")]
    assert codes(pair("data:empty"), workspace=workspace) == []  # a prober that fails tells nothing
    assert codes(pair("data:missing"), workspace=workspace) == []
    assert codes(pair("data:missing"), workspace=workspace, files=True) == [("E_NOT_FOUND", "b.path")]
