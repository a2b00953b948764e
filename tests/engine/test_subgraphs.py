"""Subgraphs are inlined: nested instances, promoted settings, regions, streams (DESIGN §4)."""

import hcpgraph

from .support import codes, graph, problems, run


def doubling():
    """A graph whose subgraph adds its input to itself, plus a promoted setting."""
    g = graph({"n": ("toy.number", {"value": 3}), "sub": "graph:double"}, {"sub.x": "n.out"})
    body = graph({"add": ("toy.add", {"plus": 1})}, {})
    body.interface.inputs = {"x": ["add.a", "add.b"], "plus": ["add.plus"]}
    body.interface.outputs = {"y": "add.out"}
    g.graphs["double"] = body
    return g


def test_an_instance_runs_its_body(workspace):
    done = run(doubling(), workspace)
    assert done.outputs == {"sub/add.out": 7} and done.ran == ["n", "sub/add"]


def test_outputs_of_an_instance_are_targets(workspace):
    g = doubling()
    assert run(g, workspace, targets=["sub.y"]).outputs == {"sub.y": 7}
    assert run(g, workspace, targets=["sub"]).outputs == {"sub.y": 7}
    g.interface.outputs["result"] = "sub.y"
    assert run(g, workspace, targets=["result"]).outputs == {"result": 7}
    import pytest

    from hcpgraph import GraphErrors

    with pytest.raises(GraphErrors, match=r"did you mean|outputs: y"):
        run(g, workspace, targets=["sub.z"])


def test_the_setting_of_an_instance_overrides_the_body(workspace):
    g = doubling()
    g.set("sub.plus", 10)
    assert run(g, workspace).outputs["sub/add.out"] == 16
    assert run(g, workspace, settings={"sub/add.plus": 20}).outputs["sub/add.out"] == 26
    assert run(g, workspace, settings={"sub.plus": 20}).outputs["sub/add.out"] == 26
    g.nodes["sub"].settings["pluss"] = 1
    assert [(p.code, p.where, p.hint) for p in problems(g)] == [
        ("E_SETTING_UNKNOWN", "sub.pluss", "did you mean 'plus'?")
    ]


def test_a_wire_into_a_promoted_setting(workspace):
    g = doubling()
    g.edges["sub.plus"] = "n.out"
    assert run(g, workspace).outputs["sub/add.out"] == 9


def nested():
    g = graph({"n": ("toy.number", {"value": 1}), "outer": "graph:outer"}, {"outer.x": "n.out"})
    outer = graph({"one": "graph:double", "two": "graph:double"}, {"two.x": "one.y"})
    outer.interface.inputs = {"x": ["one.x"], "first": ["one.plus"], "both": ["one.plus", "two.plus"]}
    outer.interface.outputs = {"y": "two.y"}
    g.graphs = {"outer": outer, **doubling().graphs}
    g.interface.outputs["end"] = "outer.y"
    return g


def test_subgraphs_in_subgraphs(workspace):
    g = nested()
    assert run(g, workspace).outputs["end"] == 7
    g.set("outer.first", 5)
    assert run(g, workspace).outputs["end"] == 15
    del g.nodes["outer"].settings["first"]
    g.set("outer.both", 0)
    assert run(g, workspace).outputs["end"] == 4


def test_renamed_instances_have_the_same_keys(workspace):
    from hcpgraph import plan

    from .support import ALL

    g = nested()
    before = plan(g, packs=ALL, workspace=workspace).keys.of
    g.rename("outer", "elsewhere")
    g.graphs["outer"].rename("one", "uno")
    after = plan(g, packs=ALL, workspace=workspace).keys.of
    assert sorted(before.values()) == sorted(after.values()) and set(before) != set(after)


def test_an_instance_in_a_region_puts_its_nodes_there(workspace):
    g = doubling()
    g.add("toy.numbers", "list")
    g.add("toy.each", "each")
    g.nodes["sub"].inside = "each"
    g.edges |= {"each.items": "list.out", "sub.x": "each.item", "each.result": "sub.y"}
    assert run(g, workspace).outputs["each.out"] == [3, 5, 7]
    assert codes(g) == []


def test_a_region_inside_a_subgraph(workspace):
    g = graph({"list": "toy.numbers", "sub": "graph:map"}, {"sub.items": "list.out"})
    body = graph(
        {"each": "toy.each", "add": ("toy.add", {"plus": 1}, "each")}, {"add.a": "each.item", "each.result": "add.out"}
    )
    body.interface.inputs = {"items": ["each.items"]}
    body.interface.outputs = {"out": "each.out"}
    g.graphs["map"] = body
    assert run(g, workspace, targets=["sub.out"]).outputs["sub.out"] == [2, 3, 4]


def test_list_ports_through_an_interface(workspace):
    g = graph({"n": ("toy.number", {"value": 2}), "sub": "graph:total"}, {"sub.all.0": "n.out", "sub.all.1": "n.out"})
    body = graph({"sum": "toy.sum"})
    body.interface.inputs = {"all": ["sum.numbers"]}
    body.interface.outputs = {"out": "sum.out"}
    g.graphs["total"] = body
    assert run(g, workspace, targets=["sub.out"]).outputs["sub.out"] == 4


def test_what_an_instance_does_not_show():
    g = doubling()
    g.edges |= {"sub.hidden": "n.out"}
    g.add("toy.add", "end")
    g.edges |= {"end.a": "sub.hidden"}
    assert [(p.code, p.where) for p in problems(g)][:2] == [
        ("E_PORT_UNKNOWN", "sub.hidden"),
        ("E_PORT_UNKNOWN", "end.a"),
    ]


def test_a_port_fed_inside_and_outside():
    g = doubling()
    g.graphs["double"].add("toy.number", "inner")
    g.graphs["double"].edges["add.a"] = "inner.out"
    assert codes(g) == [("E_EDGE_TWICE", "sub/add.a")]


def test_unknown_and_recursive_subgraphs():
    g = graph({"a": "graph:nope", "b": "graph:ring"})
    g.graphs["ring"] = graph({"c": "graph:other"})
    g.graphs["other"] = graph({"d": "graph:ring"})
    found = problems(g)
    assert [p.code for p in found] == ["E_GRAPH_UNKNOWN", "E_GRAPH_RECURSIVE"]
    assert "ring -> other -> ring" in found[1].message


def test_subgraphs_that_multiply_are_stopped():
    g = graph({"start": "graph:g0"})
    for level in range(30):
        g.graphs[f"g{level}"] = graph({"a": f"graph:g{level + 1}", "b": f"graph:g{level + 1}"})
    g.graphs["g30"] = graph({"n": "toy.number"})
    assert [p.code for p in problems(g)] == ["E_TOO_MANY_NODES"]


def draws(g, workspace):
    return run(g, workspace).outputs


def test_draws_stay_when_an_instance_is_renamed(workspace):
    g = graph({"one": "graph:noise", "two": "graph:noise"})
    body = graph({"draw": "toy.draw"})
    body.interface.outputs = {"out": "draw.out"}
    g.graphs["noise"] = body
    before = draws(g, workspace)
    assert before["one/draw.out"] != before["two/draw.out"]
    g.rename("one", "uno")
    assert g.nodes["uno"].stream == "one"
    after = draws(g, workspace)
    assert after["uno/draw.out"] == before["one/draw.out"] and after["two/draw.out"] == before["two/draw.out"]


def test_draws_stay_when_an_instance_is_taken_apart(workspace):
    g = graph({"one": "graph:noise"})
    g.graphs["noise"] = graph({"draw": "toy.draw"})
    before = draws(g, workspace)["one/draw.out"]
    apart = graph({"draw": "toy.draw"})
    apart.nodes["draw"].stream = "one/draw"
    assert draws(apart, workspace)["draw.out"] == before


def test_collapsing_with_an_absolute_stream_keeps_the_draws(workspace):
    plain = graph({"draw": "toy.draw"}, {})
    collapsed = graph({"sub": "graph:one"}, {})
    body = graph({"inner": "toy.draw"}, {})
    body.nodes["inner"].stream = "@draw"
    body.interface.outputs = {"y": "inner.out"}
    collapsed.graphs["one"] = body
    assert run(collapsed, workspace).outputs["sub/inner.out"] == run(plain, workspace).outputs["draw.out"]
    again = hcpgraph.loads(collapsed.dump())
    assert again.graphs["one"].nodes["inner"].stream == "@draw"
