"""What folding may cost is known before a value is made (docs/adr/016-bounded-folding.md)."""

import tracemalloc

import pytest
from hcpgraph_nodes.text.fill import MAX_TEXT

from hcpgraph.checking import constants
from tests.engine.support import codes, graph, module, run


def doubling(times, text="x" * 100):
    """A text that goes twice into each of a chain of joins, at whose end stands a setting."""
    nodes = {"j0": ("value.text", {"value": text}), "end": "toy.read"}
    edges = {"end.path": f"j{times}.out"}
    for i in range(1, times + 1):
        nodes[f"j{i}"] = ("value.join", {"separator": ""})
        edges |= {f"j{i}.texts.{k}": f"j{i - 1}.out" for k in range(2)}
    return graph(nodes, edges)


def many_readers(number, text):
    """One text that many nodes take, of which each feeds a setting."""
    nodes = {"text": ("value.text", {"value": text})}
    edges = {}
    for i in range(number):
        nodes |= {f"j{i}": "value.join", f"n{i}": "toy.read"}
        edges |= {f"j{i}.texts.0": "text.out", f"n{i}.path": f"j{i}.out"}
    return graph(nodes, edges)


BOMBS = {
    "doubling": (lambda: doubling(22), {"E_TEXT_SIZE"}),
    "a small text doubled for long": (lambda: doubling(60, "x"), {"E_TEXT_SIZE"}),
    "many readers": (lambda: many_readers(500, "x" * 100_000), {"E_VALUE_SIZE"}),
    "slots": (
        lambda: graph(
            {"f": ("value.format", {"template": "{a}" * 20_000, "values": {"a": "x" * 20_000}}), "end": "toy.read"},
            {"end.path": "f.out"},
        ),
        {"E_TEXT_SIZE"},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_is_refused_before_it_is_made(name):
    make, expected = BOMBS[name]
    g = make()
    module("calls")
    tracemalloc.start()
    try:
        found = codes(g)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    errors = {code for code, _ in found if code.startswith("E_") and code not in ("E_WIRED", "E_PATH")}
    assert errors == expected
    assert peak < 200 * 2**20
    assert sum(code in expected for code, _ in found) == 1


def test_a_node_is_evaluated_once_however_many_paths_lead_to_it(monkeypatch):
    """21 joins in a row that are each fed twice have two million paths."""
    calls = []
    sizes = constants.canonical_bytes
    monkeypatch.setattr(constants, "canonical_bytes", lambda value: (calls.append(1), sizes(value))[1])
    g = doubling(21, "")
    codes(g)
    assert len(calls) == 2 * 22


def test_a_text_of_any_usual_length_is_folded():
    assert [code for code, _ in codes(doubling(13))] == ["E_PATH"]
    assert MAX_TEXT > 100 * 2**13


def test_a_run_makes_no_such_text_either(workspace):
    nodes = {
        "read": ("toy.read", {"path": "data:a.txt"}),
        **{f"j{i}": ("value.join", {"separator": ""}) for i in range(12)},
    }
    edges = {f"j{i}.texts.{k}": f"j{i - 1}.out" for i in range(1, 12) for k in range(2)}
    edges |= {"j0.texts.0": "read.out"}
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "a.txt").write_text("x" * 1000)
    result = run(graph(nodes, edges), workspace)
    assert [error.problem.code for error in result.failed.values()] == ["E_TEXT_SIZE"]
