"""Opening graph files: what is right comes back exactly, what is wrong is told whole, nothing crashes."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hcpgraph.document import MAX_BYTES, Drawing, Graph, Interface, NodeEntry, dump, load, loads
from hcpgraph.errors import GraphErrors

quick = settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
few = settings(quick, max_examples=50)

ids = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,6}", fullmatch=True)
ports = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
sources = st.builds("{}.{}".format, ids, ports)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=TURNING), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
nodes = st.builds(
    NodeEntry,
    type=st.sampled_from(["optim.adamw", "unknown.thing", "graph:inner", "a.b.c"]),
    version=st.integers(1, 9),
    inside=st.none() | ids,
    settings=st.dictionaries(texts, values, max_size=4),
    mode=st.sampled_from([None, "mute", "bypass"]),
    stream=st.none() | ids,
    title=st.none() | names,
)


@st.composite
def edges(draw):
    wires = draw(st.dictionaries(sources, sources, max_size=4))
    for bare in draw(st.lists(sources, max_size=3, unique=True)):
        wires.pop(bare, None)
        wires |= {f"{bare}.{place}": draw(sources) for place in range(draw(st.integers(1, 12)))}
    return wires


def fields(draw):
    wires = draw(edges())
    targets = st.lists(sources.filter(lambda target: f"{target}.0" not in wires), min_size=1, max_size=3)
    return {
        "nodes": draw(st.dictionaries(ids, nodes, max_size=5)),
        "edges": wires,
        "interface": Interface(
            inputs=draw(st.dictionaries(ports, targets, max_size=2)),
            outputs=draw(st.dictionaries(ports, sources, max_size=2)),
        ),
        "view": {
            "nodes": draw(st.dictionaries(ids, st.lists(st.integers(-9999, 9999), min_size=2, max_size=4), max_size=3)),
            "notes": draw(st.lists(st.dictionaries(texts, values, max_size=3), max_size=2)),
        },
    }


@st.composite
def graphs(draw):
    return Graph(
        **fields(draw),
        graphs={name: Drawing(**fields(draw)) for name in draw(st.sets(ids, max_size=2))},
        meta={"title": draw(st.none() | names), "authors": draw(st.lists(names, max_size=3))},
        requires={"packs": draw(st.dictionaries(names, names, max_size=2))},
    )


def kinds(value):
    """The value with the kind of each scalar, in which 1 and true differ, and 1 and 1.0 do not."""
    if isinstance(value, dict):
        return {name: kinds(item) for name, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    return (isinstance(value, bool), isinstance(value, (int, float)), value)


@pytest.mark.slow
@given(graphs())
@few
def test_every_graph_is_read_back_as_it_was(graph):
    text = graph.dump()
    again = loads(text)
    assert again == graph
    assert again.dump() == text
    assert loads(text.encode()) == graph
    assert again.content_hash() == graph.content_hash()
    assert graph.copy() == graph
    for name, node in graph.nodes.items():
        assert kinds(again.nodes[name].settings) == kinds(node.settings)


@given(st.binary(max_size=300))
@quick
def test_random_bytes_never_crash(data):
    with pytest.raises(GraphErrors):
        loads(data)


@pytest.mark.slow
@given(graphs(), st.data())
@few
def test_a_damaged_file_never_crashes(graph, data):
    text = bytearray(graph.dump().encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        loads(bytes(text)).dump()
    except GraphErrors as error:
        assert error.problems


@given(values, st.sampled_from(["nodes", "edges", "interface", "graphs", "view", "meta", "requires"]))
@quick
def test_any_json_in_any_place_never_crashes(value, part):
    for wrong in (value, {"a": value}, {"inputs": value}, {"a": {"nodes": value}}):
        try:
            loads(json.dumps({"format": "hcpgraph/1", part: wrong}))
        except GraphErrors as error:
            assert error.problems


def codes(text):
    with pytest.raises(GraphErrors) as caught:
        loads(text)
    return [problem.code for problem in caught.value.problems]


def document(**parts):
    return json.dumps({"format": "hcpgraph/1", **parts})


BROKEN = {
    "empty": ("", ["E_JSON"]),
    "not json": ("{", ["E_JSON"]),
    "two values": ("{}{}", ["E_JSON"]),
    "raw newline in a string": ('{"format": "hcp\ngraph/1"}', ["E_JSON"]),
    "half a surrogate pair": (document(meta={"title": "\ud800"}), ["E_JSON"]),
    "half a surrogate pair, unescaped": ('{"a": "\ud800"}', ["E_FILE"]),
    "half a surrogate pair in a key": (document(nodes={"a": {"type": "a.b", "settings": {"\ud800": 1}}}), ["E_JSON"]),
    "utf-16": (document().encode("utf-16"), ["E_FILE"]),
    "latin-1": ('{"é": 1}'.encode("latin-1"), ["E_FILE"]),
    "duplicate key": ('{"format": "hcpgraph/1", "nodes": {}, "nodes": {}}', ["E_JSON_DUPLICATE_KEY"]),
    "nan": ('{"format": "hcpgraph/1", "nodes": {"a": {"type": "a.b", "settings": {"x": NaN}}}}', ["E_JSON_NAN"]),
    "infinity": ('{"format": "hcpgraph/1", "view": {"nodes": {"a": [-Infinity, 0]}}}', ["E_JSON_NAN"]),
    "infinite float": ('{"format": "hcpgraph/1", "view": {"nodes": {"a": [1e999, 0]}}}', ["E_NUMBER"]),
    "large integer": (document(nodes={"a": {"type": "a.b", "settings": {"x": 2**53}}}), ["E_NUMBER"]),
    "small integer": (document(nodes={"a": {"type": "a.b", "settings": {"x": -(2**53)}}}), ["E_NUMBER"]),
    "huge integer": ('{"format": "hcpgraph/1", "nodes": {"a": {"type": "a.b", "settings": {"x": %s}}}}' % ("9" * 9999), ["E_NUMBER"]),
    "too deep": ("[" * 33 + "]" * 33, ["E_TOO_DEEP"]),
    "hostile depth": ('{"a":' * 100_000, ["E_TOO_DEEP"]),
    "too large": (" " * (MAX_BYTES + 1), ["E_TOO_LARGE"]),
    "too large in bytes": ("é" * (MAX_BYTES // 2 + 1), ["E_TOO_LARGE"]),
    "a list": ("[]", ["E_FORMAT"]),
    "null": ("null", ["E_FORMAT"]),
    "no format": ("{}", ["E_FORMAT"]),
    "another format": ('{"format": "comfy/1"}', ["E_FORMAT"]),
    "a number as format": ('{"format": 1}', ["E_FORMAT"]),
    "a list as format": ('{"format": []}', ["E_FORMAT"]),
    "newer format": ('{"format": "hcpgraph/2"}', ["E_FORMAT"]),
    "unknown key": (document(nods={}), ["E_FIELD"]),
    "no type": (document(nodes={"a": {}}), ["E_FIELD"]),
    "python's name of a key": (document(nodes={"a": {"type": "a.b", "inside": "b"}}), ["E_FIELD"]),
    "bad type": (document(nodes={"a": {"type": "a b"}}), ["E_FIELD"]),
    "version zero": (document(nodes={"a": {"type": "a.b", "version": 0}}), ["E_FIELD"]),
    "version as text": (document(nodes={"a": {"type": "a.b", "version": "1"}}), ["E_FIELD"]),
    "version true": (document(nodes={"a": {"type": "a.b", "version": True}}), ["E_FIELD"]),
    "bad mode": (document(nodes={"a": {"type": "a.b", "mode": "off"}}), ["E_FIELD"]),
    "bad stream": (document(nodes={"a": {"type": "a.b", "stream": "/etc/x"}}), ["E_ID"]),
    "bad id": (document(nodes={"a/b": {"type": "a.b"}}), ["E_ID"]),
    "newline after id": (document(nodes={"a\n": {"type": "a.b"}}), ["E_ID"]),
    "long id": (document(nodes={"a" * 65: {"type": "a.b"}}), ["E_ID"]),
    "bad graph name": (document(graphs={"1": {}}), ["E_ID"]),
    "bad port name": (document(interface={"outputs": {"a-b": "a.b"}}), ["E_ID"]),
    "bad target": (document(edges={"a": "b.out"}), ["E_EDGE_SYNTAX"]),
    "bad source": (document(edges={"a.x": "b.out.0"}), ["E_EDGE_SYNTAX"]),
    "leading zero": (document(edges={"a.x.00": "b.out"}), ["E_EDGE_SYNTAX"]),
    "one port and a list": (document(edges={"a.x": "b.out", "a.x.0": "b.out"}), ["E_EDGE"]),
    "meta in a subgraph": (document(graphs={"a": {"meta": {}}}), ["E_FIELD"]),
    "too many nodes": (document(nodes={f"n{i}": {} for i in range(20_001)}), ["E_TOO_MANY_NODES"]),
    "too many nodes in subgraphs": (
        document(graphs={f"g{k}": {"nodes": {f"n{i}": {} for i in range(5001)}} for k in range(4)}),
        ["E_TOO_MANY_NODES"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name):
    text, expected = BROKEN[name]
    assert codes(text) == expected


def test_all_problems_are_told_at_once():
    text = """{"format": "hcpgraph/1", "nods": {}, "nodes": {"ok": {"type": "optim.adamw", "seting": {}, "version": 0,
        "settings": {"a": NaN, "b": 9007199254740993, "d": {"x": 1, "x": 2}}}}, "edges": {"ok.x": "q"}}"""
    with pytest.raises(GraphErrors) as caught:
        loads(text)
    found = {(problem.code, problem.node) for problem in caught.value.problems}
    assert found == {
        ("E_JSON_NAN", "ok"),
        ("E_NUMBER", "ok"),
        ("E_JSON_DUPLICATE_KEY", "ok"),
        ("E_FIELD", "ok"),
        ("E_FIELD", None),
        ("E_EDGE_SYNTAX", None),
    }
    message = str(caught.value)
    assert "did you mean 'settings'?" in message
    assert "did you mean 'nodes'?" in message
    assert "nodes.ok.settings.b" in message


def test_a_problem_inside_a_subgraph_names_graph_and_node():
    with pytest.raises(GraphErrors) as caught:
        loads(document(graphs={"inner": {"nodes": {"a": {"type": 5}}}}))
    assert caught.value.problems[0].node == "inner/a"


def test_a_newer_format_says_to_upgrade():
    with pytest.raises(GraphErrors, match="upgrade hcpgraph"):
        loads('{"format": "hcpgraph/2", "strange": true}')


def test_messages_carry_no_control_characters():
    with pytest.raises(GraphErrors) as caught:
        loads(document(**{"\x1b[31mred": 1}, edges={"\x1b]0;x\x07": "a.b"}))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("unit", ['"x%d": 1,', '"edges": {"x%d": 1},'])
def test_a_file_of_nothing_but_problems_is_answered(unit):
    text = '{"format": "hcpgraph/1",' + "".join(unit % number for number in range(50_000)) + '"z": 1}'
    assert len(codes(text)) <= 1001


def test_brackets_in_strings_are_not_depth():
    graph = Graph()
    graph.add("a.b", "x", text='[[[[{{{{"\\[' * 50)
    assert loads(graph.dump()) == graph


def test_the_deepest_setting_can_be_read_again():
    value = 1
    for _ in range(25):
        value = [value]
    graph = Graph()
    graph.graphs["g"] = Drawing()
    graph.graphs["g"].add("a.b", "x", deep=value)
    assert loads(graph.dump()) == graph


def test_a_byte_order_mark_is_skipped():
    assert loads(b"\xef\xbb\xbf" + document().encode()) == Graph()


def test_small_files_are_enough():
    graph = loads('{"format": "hcpgraph/1", "nodes": {"a": {"type": "x.y"}}}')
    assert graph.nodes["a"] == NodeEntry(type="x.y", version=1)
    assert loads('{"format": "hcpgraph/1"}') == Graph()


def test_load_reads_files(tmp_path):
    graph = Graph()
    graph.add("optim.adamw", lr=1e-4)
    path = tmp_path / "graph.txt"
    graph.save(path)
    assert load(path) == load(str(path)) == graph
    assert path.read_text() == dump(graph) == graph.dump()
    assert os.listdir(tmp_path) == ["graph.txt"]


def test_load_says_what_is_wrong_with_the_file(tmp_path):
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    for path, code in {
        tmp_path / "missing.json": "E_FILE",
        tmp_path: "E_FILE",
        large: "E_TOO_LARGE",
        "nul\0byte": "E_FILE",
        "x" * 5000: "E_FILE",
        large / "below": "E_FILE",
    }.items():
        with pytest.raises(GraphErrors) as caught:
            load(path)
        assert [problem.code for problem in caught.value.problems] == [code]


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GraphErrors):
        load(tmp_path / "pipe")


def test_importing_it_does_not_import_torch():
    program = "import sys, hcpgraph.document; sys.exit(bool({'torch', 'PIL', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
