"""Canonical bytes and text: RFC 8785 numbers and order, and a layout that stays the same."""

import json
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcpgraph.document import Drawing, Graph, canonical, loads
from hcpgraph.document.canonical import canonical_bytes, number, one_line, pretty

# RFC 8785 appendix B, then values around the limits of each of the four layouts
RFC8785 = {
    0x0000000000000000: "0",
    0x8000000000000000: "0",
    0x0000000000000001: "5e-324",
    0x8000000000000001: "-5e-324",
    0x7FEFFFFFFFFFFFFF: "1.7976931348623157e+308",
    0xFFEFFFFFFFFFFFFF: "-1.7976931348623157e+308",
    0x4340000000000000: "9007199254740992",
    0xC340000000000000: "-9007199254740992",
    0x4430000000000000: "295147905179352830000",
    0x44B52D02C7E14AF5: "9.999999999999997e+22",
    0x44B52D02C7E14AF6: "1e+23",
    0x44B52D02C7E14AF7: "1.0000000000000001e+23",
    0x444B1AE4D6E2EF4E: "999999999999999700000",
    0x444B1AE4D6E2EF4F: "999999999999999900000",
    0x444B1AE4D6E2EF50: "1e+21",
    0x3EB0C6F7A0B5ED8C: "9.999999999999997e-7",
    0x3EB0C6F7A0B5ED8D: "0.000001",
    0x41B3DE4355555553: "333333333.3333332",
    0x41B3DE4355555554: "333333333.33333325",
    0x41B3DE4355555555: "333333333.3333333",
    0x41B3DE4355555556: "333333333.3333334",
    0x41B3DE4355555557: "333333333.33333343",
    0xBECBF647612F3696: "-0.0000033333333333333333",
    0x43143FF3C1CB0959: "1424953923781206.2",
}
ES6 = {
    1.0: "1", -1.5: "-1.5", 1e-4: "0.0001", 1e-6: "0.000001", 1e-7: "1e-7", 1.5e-7: "1.5e-7", 123e-9: "1.23e-7",
    1e16: "10000000000000000", 1e20: "100000000000000000000", 1e21: "1e+21", 1.25e21: "1.25e+21", 0.1: "0.1",
    3e-4: "0.0003", 100.0: "100", 12.5: "12.5", 1e100: "1e+100", 0.05: "0.05", 4.35: "4.35", 1e-323: "1e-323",
}  # fmt: skip


@pytest.mark.parametrize(("bits", "text"), RFC8785.items())
def test_numbers_of_rfc_8785(bits, text):
    assert number(struct.unpack(">d", struct.pack(">Q", bits))[0]) == text


@pytest.mark.parametrize(("value", "text"), ES6.items())
def test_numbers_as_ecmascript_writes_them(value, text):
    assert number(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_not_a_number(value):
    with pytest.raises(ValueError):
        canonical_bytes({"a": [value]})


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(derandomize=True)
def test_a_number_is_read_back_exactly(value):
    assert float(number(value)) == value
    again = json.loads(one_line(value))
    assert again == value
    assert isinstance(again, float) or abs(again) < 2**53


def test_the_example_of_rfc_8785():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_bytes(value) == expected.encode()


def test_keys_are_sorted_by_utf_16():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical_bytes(dict.fromkeys(keys, 0)))) == [
        "\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({1: 2}, TypeError),
        ({"a": {1, 2}}, TypeError),
        (b"x", TypeError),
        (object(), TypeError),
        (2**53, ValueError),
        (-(2**53), ValueError),
        ("\ud800", ValueError),
        ({"\ud800": 1}, ValueError),
    ],
)
def test_what_is_not_json_is_refused(value, error):
    with pytest.raises(error):
        canonical_bytes(value)


def test_equal_values_have_equal_bytes():
    assert canonical_bytes({"b": 1.0, "a": (1, 2)}) == canonical_bytes({"a": [1, 2.0], "b": 1})
    assert canonical_bytes(True) != canonical_bytes(1)


@given(st.text())
@settings(derandomize=True)
def test_strings_are_written_as_json(text):
    assert json.loads(canonical_bytes(text)) == text


def test_what_fits_stays_on_one_line():
    assert pretty({"a": [1, 2], "b": "x"}) == '{"a": [1, 2], "b": "x"}'
    long = {"list": list(range(40)), "short": [1, 2]}
    lines = pretty(long).split("\n")
    assert lines[0] == "{"
    assert lines[1] == '  "list": ['
    assert lines[2] == "    0,"
    assert lines[-2] == '  "short": [1, 2]'
    assert all(len(line) <= 120 for line in lines)


DESIGN = """\
{
  "format": "hcpgraph/1",
  "meta": {"title": "Cat LoRA", "description": "…", "authors": ["…"], "license": "CC0-1.0"},
  "requires": {"hcpgraph": ">=0.1", "packs": {"hcpgraph_nodes": ">=0.1"}},
  "interface": {"inputs": {"lr": ["adamw.lr"]}, "outputs": {"adapter": "save.file"}},
  "nodes": {
    "adamw": {"type": "optim.adamw", "version": 1, "settings": {"lr": 0.0001, "weight_decay": 0.01}},
    "offset": {"type": "noise.offset", "version": 1, "in": "train", "settings": {"strength": 0.05}},
    "train": {"type": "train.loop", "version": 1, "settings": {"seed": 42, "steps": 2000}}
  },
  "edges": {
    "adamw.params.0": "lora.params",
    "after.value": "lora.adapter",
    "train.loss.2": "b.out",
    "train.loss.10": "a.out",
    "train.optimizer.0": "adamw.out"
  },
  "view": {"nodes": {"adamw": [320, 80]}}
}
"""


def test_the_text_is_that_of_the_design():
    dense = DESIGN.replace("loss.2", "loss.0").replace("loss.10", "loss.1")
    assert loads(DESIGN).dump() == dense
    assert loads(dense).dump() == dense


def test_list_ports_are_sorted_by_number():
    graph = Graph()
    for index in range(12):
        graph.edges[f"train.loss.{index}"] = f"mean{index}.out"
    assert list(loads(graph.dump()).edges.values()) == [f"mean{index}.out" for index in range(12)]


def test_gaps_in_list_ports_are_closed_also_in_the_interface():
    graph = Graph()
    graph.edges = {"train.loss.0": "a.out", "train.loss.7": "b.out"}
    graph.interface.inputs = {"extra": ["train.loss.3"]}
    again = loads(graph.dump())
    assert again.edges == {"train.loss.0": "a.out", "train.loss.2": "b.out"}
    assert again.interface.inputs == {"extra": ["train.loss.1"]}


def test_a_long_node_is_expanded_and_a_subgraph_is_indented():
    graph = Graph()
    graph.add("text.prompt", "prompt", text="x" * 120, tags=["a", "b"])
    graph.graphs["inner"] = Drawing()
    graph.graphs["inner"].add("value.number", "n", value=1.0)
    assert graph.dump().split("\n")[2:11] == [
        '  "nodes": {',
        '    "prompt": {',
        '      "type": "text.prompt",',
        '      "version": 1,',
        '      "settings": {',
        '        "tags": ["a", "b"],',
        f'        "text": "{"x" * 120}"',
        "      }",
        "    }",
    ]
    assert '        "n": {"type": "value.number", "version": 1, "settings": {"value": 1}}\n' in graph.dump()


def test_the_hash_ignores_looks_and_spelling_of_numbers():
    graph = loads(DESIGN)
    first = graph.content_hash()
    assert len(first) == 64
    graph.view.nodes["adamw"] = [0, 0]
    graph.meta.title = "Dog LoRA"
    graph.nodes["adamw"].title = "Optimizer"
    graph.nodes["train"].settings["steps"] = 2000.0
    assert graph.content_hash() == first
    for change in (
        lambda g: g.set("adamw.lr", 2e-4),
        lambda g: g.edges.update({"after.value": "lora.out"}),
        lambda g: setattr(g.nodes["adamw"], "mode", "mute"),
        lambda g: g.interface.outputs.clear(),
        lambda g: g.graphs.update(x=Drawing()),
    ):
        other = graph.copy()
        change(other)
        assert other.content_hash() != first


def test_the_hash_resolves_defaults():
    short, full = Graph(), Graph()
    short.add("optim.adamw", "adamw")
    full.add("optim.adamw", "adamw", lr=1e-4)
    assert short.content_hash() != full.content_hash()
    assert short.content_hash(lambda type_id: {"lr": 1e-4}) == full.content_hash(lambda type_id: {"lr": 1e-4})
    assert short.content_hash(lambda type_id: {"lr": 1e-3}) != full.content_hash(lambda type_id: {"lr": 1e-3})


def test_a_value_put_in_past_the_methods_is_a_problem_and_not_a_broken_file():
    graph = Graph()
    graph.add("a.b", "x")
    graph.nodes["x"].settings["lr"] = math.nan
    with pytest.raises(ValueError):
        canonical.graph_text(graph)
