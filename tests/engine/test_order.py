"""One sort for everything: order, cycles with their path, scope (DESIGN §5.1)."""

import hcpgraph
from hcpgraph.checking.flatten import flatten
from hcpgraph.checking.order import BEGIN, END, sort

from .support import ALL, codes, graph, problems


def ordered(g):
    return sort(flatten(g, hcpgraph.default_registry(ALL)))


def loop(**more):
    return graph({"list": "toy.numbers", "n": "toy.number", "each": "toy.each", "in": ("toy.add", {}, "each"), "end": "toy.add",
                  **more.pop("nodes", {})},
                 {"each.items": "list.out", "in.a": "each.item", "in.b": "n.out", "each.result": "in.out", "end.a": "n.out",
                  **more.pop("edges", {})})  # fmt: skip


def test_invariants_begin_body_end():
    place = {vertex: index for index, vertex in enumerate(ordered(loop()).sorted)}
    assert place["n", BEGIN] < place["each", BEGIN] < place["in", BEGIN] < place["each", END]
    assert len(place) == 6 and ("in", END) not in place


def test_reach_and_reversed():
    order = ordered(loop())
    assert order.reach([("n", BEGIN)]) == {("n", BEGIN), ("each", BEGIN), ("in", BEGIN), ("each", END), ("end", BEGIN)}
    assert order.reversed().reach([("in", BEGIN)]) == {("in", BEGIN), ("each", BEGIN), ("n", BEGIN), ("list", BEGIN)}


def cycles(g):
    return [p.message.partition(": ")[2] for p in problems(g) if p.code == "E_CYCLE"]


def test_cycles_are_told_with_their_path():
    ring = graph({"a": "toy.add", "b": "toy.add", "c": "toy.add", "self": "toy.add", "free": "toy.number"},
                 {"b.a": "a.out", "c.a": "b.out", "a.a": "c.out", "self.a": "self.out", "a.b": "free.out"})  # fmt: skip
    found = cycles(ring)
    assert len(found) == 2
    assert sorted(found)[0] in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")
    assert sorted(found)[1] == "self -> self"


def test_a_cycle_through_a_region():
    found = cycles(loop(nodes={"back": "toy.add", "pick": ("toy.numbers", {})}, edges={"back.a": "list.out", "n.value": "back.out",
                        "back.b": "each.out"}))  # fmt: skip
    assert len(found) == 1
    assert {"n", "each", "back"} <= set(found[0].split(" -> ")) and found[0].split(" -> ")[0] == found[0].split(" -> ")[
        -1
    ]


def test_what_leaves_a_region_without_an_exit():
    found = problems(loop(edges={"end.b": "in.out"}))
    assert [(p.code, p.where) for p in found] == [("E_SCOPE", "end.b")]
    assert "exit of 'each' (result)" in found[0].hint
    assert codes(loop(edges={"end.b": "each.index"})) == [("E_SCOPE", "end.b")]


def test_scope_of_nested_and_neighbouring_regions():
    nodes = {
        "inner": ("toy.each", {}, "each"),
        "deep": ("toy.add", {}, "inner"),
        "other": "toy.each",
        "there": ("toy.add", {}, "other"),
    }
    edges = {"inner.items": "list.out", "deep.a": "inner.item", "deep.b": "in.out", "inner.result": "deep.out",
             "other.items": "list.out", "there.a": "other.item", "other.result": "there.out"}  # fmt: skip
    assert codes(loop(nodes=nodes, edges=edges)) == []
    assert codes(loop(nodes=nodes, edges=edges | {"there.b": "in.out"})) == [("E_SCOPE", "there.b")]
    assert codes(loop(nodes=nodes, edges=edges | {"deep.b": "n.out", "in.b": "deep.out"})) == [("E_SCOPE", "in.b")]
    assert codes(loop(nodes=nodes, edges=edges | {"each.result": "deep.out"})) == [("E_SCOPE", "each.result")]


def test_an_exit_may_be_fed_from_an_entry_or_from_outside(workspace):
    from .support import run

    g = graph({"list": "toy.numbers", "n": ("toy.number", {"value": 4}), "each": "toy.each"},
              {"each.items": "list.out", "each.result": "each.item"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [1, 2, 3]
    g.edges["each.result"] = "n.out"
    assert run(g, workspace).outputs["each.out"] == [4, 4, 4]


def test_the_order_is_deterministic():
    assert ordered(loop()).sorted == ordered(loop()).sorted


def test_a_long_ring_needs_no_recursion():
    size = 3000
    g = graph({f"n{i}": "toy.add" for i in range(size)}, {f"n{i}.a": f"n{(i - 1) % size}.out" for i in range(size)})
    assert len(cycles(g)) == 1
