"""Wires sorted into inputs, settings and exits, and everything that can be wrong with them (DESIGN §4)."""

import pytest

import hcpgraph
from hcpgraph.checking import flatten as flattening

from .support import ALL, codes, graph, problems


def flat(g):
    return flattening.flatten(g, hcpgraph.default_registry(ALL))


def test_wires_go_where_they_belong():
    g = graph({"n": "toy.numbers", "e": "toy.each", "in": ("toy.add", {}, "e"), "v": "toy.number", "s": "toy.sum"},
              {"e.items": "n.out", "in.a": "e.item", "in.plus": "v.out", "e.result": "in.out",
               "s.numbers.1": "v.out", "s.numbers.0": "e.index"})  # fmt: skip
    nodes = flat(g).nodes
    assert nodes["e"].inputs == {"items": [("n", "out")]} and nodes["e"].exits == {"result": [("in", "out")]}
    assert nodes["in"].inputs == {"a": [("e", "item")]} and nodes["in"].wired == {"plus": ("v", "out")}
    assert nodes["s"].inputs == {"numbers": [("e", "index"), ("v", "out")]}
    assert flat(g).children == {None: ["n", "e", "v", "s"], "e": ["in"]}


def test_list_wires_are_sorted_by_number_not_by_text():
    g = graph({"s": "toy.sum", **{f"n{i}": "toy.number" for i in range(12)}},
              {f"s.numbers.{i}": f"n{i}.out" for i in reversed(range(12))})  # fmt: skip
    assert flat(g).nodes["s"].inputs["numbers"] == [(f"n{i}", "out") for i in range(12)]


@pytest.mark.parametrize(
    ("target", "source", "code", "where", "hint"),
    [
        ("nope.a", "n.out", "E_NODE_UNKNOWN", "nope.a", None),
        ("add.nope", "n.out", "E_PORT_UNKNOWN", "add.nope", None),
        ("add.out", "n.out", "E_PORT_UNKNOWN", "add.out", None),
        ("add.b", "m.out", "E_NODE_UNKNOWN", "add.b", None),
        ("add.b", "numbr.out", "E_NODE_UNKNOWN", "add.b", "did you mean 'number'?"),
        ("add.b", "n.outt", "E_PORT_UNKNOWN", "add.b", "did you mean 'out'?"),
        ("add.b", "e.result", "E_PORT_UNKNOWN", "add.b", None),
        ("add.b.0", "n.out", "E_EDGE_LIST", "add.b", "write add.b"),
        ("add.plus.0", "n.out", "E_EDGE_LIST", "add.plus", "write add.plus"),
        ("sum.numbers", "n.out", "E_EDGE_LIST", "sum.numbers", "write sum.numbers.0"),
        ("e.item", "n.out", "E_PORT_UNKNOWN", "e.item", None),
    ],
)
def test_wrong_wires(target, source, code, where, hint):
    g = graph({"n": "toy.number", "number": "toy.number", "add": "toy.add", "sum": "toy.sum", "e": "toy.each"},
              {"add.a": "n.out", target: source})  # fmt: skip
    found = [p for p in problems(g) if p.code == code]
    assert [p.where for p in found] == [where]
    assert hint is None or found[0].hint == hint


def test_regions_that_are_none():
    g = graph({"n": ("toy.number", {}, "add"), "add": "toy.add", "x": ("toy.number", {}, "nowhere"), "s": "graph:s",
               "y": ("toy.number", {}, "s")}, {"add.a": "n.out"})  # fmt: skip
    g.graphs["s"] = graph({"z": "toy.number"})
    assert codes(g) == [("E_REGION_UNKNOWN", "x"), ("E_REGION_OWNER", "y"), ("E_REGION_OWNER", "n")]


def test_regions_inside_each_other():
    g = graph({"a": ("toy.each", {}, "b"), "b": ("toy.each", {}, "a"), "n": "toy.numbers"})
    found = [p for p in problems(g) if p.code == "E_REGION_CYCLE"]
    assert len(found) == 1 and "a -> b -> a" in found[0].message


def test_the_root_interface_is_checked():
    g = graph({"n": "toy.number", "l": "toy.numbers", "e": "toy.each", "in": ("toy.add", {}, "e")},
              {"e.items": "l.out", "in.a": "e.item", "e.result": "in.out"})  # fmt: skip
    g.interface.outputs = {"good": "n.out", "bad": "nope.out", "port": "n.nope", "inside": "in.out", "entry": "e.item"}
    g.interface.inputs = {"v": ["n.value"], "w": ["nope.value", "n.nope"]}
    assert sorted(codes(g)) == [
        ("E_NODE_UNKNOWN", "interface.bad"),
        ("E_NODE_UNKNOWN", "nope.value"),
        ("E_PORT_UNKNOWN", "interface.port"),
        ("E_PORT_UNKNOWN", "n.nope"),
        ("E_SCOPE", "e.item"),
        ("E_SCOPE", "in.out"),
    ]


def test_unknown_types_do_not_hide_other_problems():
    g = graph(
        {"x": ("who.knows", {"any": 1}), "add": ("toy.add", {"pluss": 1})}, {"add.a": "x.out", "x.in.0": "add.out"}
    )
    assert sorted({code for code, _ in codes(g)}) == ["E_CYCLE", "E_SETTING_UNKNOWN", "E_TYPE_UNKNOWN"]
