"""Random small graphs give what a naive recursive evaluator gives: hoisting, demand, slots and caches change nothing."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hcpgraph import Cache
from hcpgraph.document.fileformat import NodeEntry
from hcpgraph.rng import stream_seed

from .support import graph, run


def value(g, source, env=None, path=()):
    """What a source gives, with the entries of the enclosing regions in `env`."""
    env = env or {}
    if source in env:
        return env[source]
    id, _, port = source.partition(".")
    kind, given_settings, inside, depth = g.nodes[id].type, g.nodes[id].settings, g.nodes[id].inside, 0
    while inside is not None:
        inside, depth = g.nodes[inside].inside, depth + 1
    path = path[:depth]

    def read(name, missing=0.0):
        return value(g, g.edges[f"{id}.{name}"], env, path) if f"{id}.{name}" in g.edges else missing

    match kind:
        case "toy.number":
            return float(given_settings["value"])
        case "toy.numbers":
            return given_settings["values"]
        case "toy.add":
            return read("a") + read("b") + read("plus", given_settings["plus"])
        case "toy.sum":
            return float(sum(read(f"numbers.{i}") for i in range(sum(t.startswith(f"{id}.numbers.") for t in g.edges))))
        case "toy.split":
            return int(read("a")) if port == "whole" else read("a") - int(read("a"))
        case "toy.choose":
            return read(given_settings["take"])
        case "toy.draw":
            return read("a") + stream_seed(0, id, path) % 1_000_003 / 1_000_003
        case "toy.each":
            return [
                value(g, g.edges[f"{id}.result"], env | {f"{id}.item": item, f"{id}.index": index}, (*path, index))
                for index, item in enumerate(read("items"))
            ]
        case "toy.repeat":
            state = read("state")
            for index in range(given_settings["times"]):
                state = value(
                    g, g.edges[f"{id}.next"], env | {f"{id}.state": state, f"{id}.index": index}, (*path, index)
                )
            return state


NUMBERS = st.integers(-5, 5) | st.sampled_from([0.5, -1.25, 3.75])


@st.composite
def graphs(draw):
    """Valid by construction: a wire comes from what was drawn before, here or further out."""
    g = graph({})
    top = []

    def add(kind, inside, wires, **given_settings):
        id = f"{kind[4:]}{len(g.nodes)}"
        g.nodes[id] = NodeEntry(type=kind, inside=inside, settings=given_settings)
        g.edges |= {f"{id}.{port}": source for port, source in wires.items()}
        return id

    def fill(inside, scope, depth):
        for _ in range(draw(st.integers(1, 4))):
            one = st.sampled_from(scope[::-1])
            kind = draw(
                st.sampled_from(
                    ["number", "add", "sum", "split", "choose", "draw", *(["each", "repeat"] if depth < 3 else [])]
                )
            )
            if kind == "number":
                scope.append(f"{add('toy.number', inside, {}, value=draw(NUMBERS))}.out")
            elif kind == "add":
                wires = {"a": draw(one)} | ({"b": draw(one)} if draw(st.booleans()) else {})
                wires |= {"plus": draw(st.sampled_from(top))} if draw(st.booleans()) else {}
                scope.append(f"{add('toy.add', inside, wires, plus=draw(NUMBERS))}.out")
            elif kind == "sum":
                wires = {f"numbers.{i}": draw(one) for i in range(draw(st.integers(1, 3)))}
                scope.append(f"{add('toy.sum', inside, wires)}.out")
            elif kind == "split":
                id = add("toy.split", inside, {"a": draw(one)})
                scope += [f"{id}.whole", f"{id}.rest"]
            elif kind == "choose":
                scope.append(
                    f"{add('toy.choose', inside, {'a': draw(one), 'b': draw(one)}, take=draw(st.sampled_from('ab')))}.out"
                )
            elif kind == "draw":
                scope.append(f"{add('toy.draw', inside, {'a': draw(one)})}.out")
            else:
                region(kind, inside, scope, depth)
            if inside is None:
                top[:] = [source for source in scope if "." in source]

    def region(kind, inside, scope, depth):
        if kind == "each":
            items = add("toy.numbers", inside, {}, values=draw(st.lists(NUMBERS.map(float), max_size=3)))
            id, entries, exit_ = add("toy.each", inside, {"items": f"{items}.out"}), ["item", "index"], "result"
        else:
            wires = {"state": draw(st.sampled_from(scope[::-1]))}
            id, entries, exit_ = (
                add("toy.repeat", inside, wires, times=draw(st.integers(0, 3))),
                ["state", "index"],
                "next",
            )
        inner = [*scope, *(f"{id}.{entry}" for entry in entries)]
        fill(id, inner, depth + 1)
        g.edges[f"{id}.{exit_}"] = draw(st.sampled_from(inner[::-1]))
        if kind == "repeat":
            scope.append(f"{id}.out")

    first = f"{add('toy.number', None, {}, value=draw(NUMBERS))}.out"
    top.append(first)
    fill(None, [first], 0)
    return g


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(graphs())
def test_random_graphs_give_what_a_naive_evaluator_gives(g):
    targets = [id for id, node in g.nodes.items() if node.inside is None]
    cache = Cache()
    for _ in range(2):
        done = run(g, Path("/nonexistent"), targets=targets, cache=cache, record=False, disk_cache=False)
        assert done.status == "done"
        assert done.outputs == {source: value(g, source) for source in done.outputs} and len(done.outputs) >= len(
            targets
        )
    assert done.ran == []
