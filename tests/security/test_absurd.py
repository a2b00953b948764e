"""Numbers, lists, names and sizes that nobody means: short errors with names, in every entrance."""

import ast
import io
import json
import struct
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hcpgraph_nodes.adapter_files.source import parsed
from hcpgraph_nodes.data.sources.caption_values import read_json
from hcpgraph_nodes.data.webdataset import webdataset
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.safetensors_file import safetensors_header
from hcpgraph_nodes.families.weights import read_config
from hcpgraph_nodes.words.save import _file_name
from PIL import Image

import hcpgraph
from hcpgraph import GraphError, GraphErrors
from hcpgraph.cli import main
from hcpgraph.document.fileformat import MAX_PROBLEMS
from hcpgraph.errors import LONGEST, Problem, hidden, visible
from hcpgraph.testing import context
from tests.server.live import shared

ROOT = Path(__file__).resolve().parents[2]
DIGITS = "9" * 100_000
DEEP = "[" * 100_000 + "]" * 100_000
TURNED = "cat\u202egnp.exe"
WRONG = {"list": ("text.prompt", {"texts": [1] * 20_000}), "mapping": ("value.format", {"values": {f"k{i}": [] for i in range(20_000)}}),
         "unknown": ("value.int", {f"k{i}": 1 for i in range(20_000)})}  # fmt: skip


def text(nodes, edges=None, **more):
    return json.dumps({"format": "hcpgraph/1", "nodes": nodes, "edges": edges or {}, **more})


def one(type_id, settings):
    return text({"a": {"type": type_id, "version": 1, "settings": settings}})


def told(tmp_path, data, *arguments, command="validate", code=2):
    file = tmp_path / "graph.json"
    file.write_text(data, encoding="utf-8")
    result = CliRunner().invoke(main, [command, str(file), *arguments])
    assert result.exit_code == code and "Traceback" not in result.output, result.output[-2000:]
    return result.stderr


@pytest.fixture(scope="module")
def live():
    return shared()


@pytest.mark.parametrize("place", ['"version": 1, "settings": {"value": %s}', '"version": %s', '"version": 1, "settings": {"value": -%s}'])  # fmt: skip
def test_an_integer_of_many_digits(tmp_path, live, place):
    data = '{"format": "hcpgraph/1", "nodes": {"a": {"type": "value.int", %s}}, "edges": {}}' % (place % DIGITS)
    for command in ("validate", "run", "fmt"):
        said = told(tmp_path, data, command=command)
        assert "E_NUMBER a:" in said and len(said) < 600
    for path, kind, body in (("check", "json", f'{{"graph": {data}}}'), ("import", "octet-stream", data)):
        reply = live.request("POST", f"/api/{path}", body.encode(), {"Content-Type": f"application/{kind}"})
        assert reply.status == 422 and reply.codes() == ["E_NUMBER"] and len(reply.body) < 600


@pytest.mark.parametrize("value", [DIGITS, "9" * 4_000, "1e999999", DEEP])
def test_values_of_the_command_line(tmp_path, value):
    said = told(tmp_path, one("value.int", {"value": 1}), "--set", f"a.value={value}", command="run")
    assert said.startswith("error: E_") and len(said) < 1000
    said = told(tmp_path, one("value.int", {"value": 1}), "--seed", value, command="run")
    assert len(said) < LONGEST + 500


@pytest.mark.parametrize("value", [DIGITS, DEEP])
def test_files_beside_a_graph(tmp_path, value):
    """Configurations, captions, adapters and headers of weights, each in the words of its reader."""
    content = f'{{"a": {value}}}'
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(GraphError, match="E_MODEL_FOLDER"):
        read_config(tmp_path, "config.json")
    with pytest.raises(GraphError, match="E_CAPTION"):
        read_json(tmp_path / "config.json")
    with pytest.raises(GraphError, match="E_FILE"):
        parsed(content, "config.json")
    weights = tmp_path / "a.safetensors"
    weights.write_bytes(struct.pack("<Q", len(content)) + content.encode())
    with pytest.raises(ValueError):
        safetensors_header(weights)
    assert probe_family(weights) is None
    with pytest.raises(GraphErrors):
        hcpgraph.load(weights)


OWN = {
    "hcpgraph/planning/records.py:_record",
    "hcpgraph/running/codec.py:read_folder",
    "hcpgraph/events.py:replay",
    "hcpgraph/declaring/manifest.py:_build_elsewhere",
    "hcpgraph/server/queue/database.py:_job",
    "hcpgraph/server/queue/database.py:_work",
    "hcpgraph/server/queue/database.py:remembered",
    "hcpgraph/server/helpers/opened.py:opened",
    "hcpgraph/server/queue/process.py:_read",
    "hcpgraph/server/queue/worker.py:listen",
    "hcpgraph/server/queue/worker.py:main",
    "hcpgraph/checking/settings.py:_found",
    "hcpgraph/checking/settings.py:_validator",
    "hcpgraph/trust.py:shipped",
    "nodes/hcpgraph_nodes/data/albumentations.py:_made",
    "nodes/hcpgraph_nodes/data/sources/emoji_names.py:_places",
    "nodes/hcpgraph_nodes/data/batches/items.py:layout",
    "nodes/hcpgraph_nodes/data/sources/side_files.py:read_remembered",
    "nodes/hcpgraph_nodes/data/torchvision.py:_made",
    "nodes/hcpgraph_nodes/families/weights.py:_in_order",
    "nodes/hcpgraph_nodes/report/words.py:_read",
}
"""Functions that read JSON which this program wrote or ships, or has read strictly before."""
CAUGHT_BY_CALLERS = {
    "nodes/hcpgraph_nodes/controlnet/probe.py:read_control",
    "nodes/hcpgraph_nodes/families/file_marks.py:_in_folder",  # as every probe
    "nodes/hcpgraph_nodes/families/probe.py:_folder",
    "nodes/hcpgraph_nodes/families/text_probe.py:_networks",
}


def careless(source, needed):
    """Functions that parse JSON outside of a `try` which takes what Python raises for absurd numbers and depths."""
    found = set()

    def walk(node, name, caught):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = name or node.name
        if isinstance(node, ast.Try):
            names = {
                part.id for handler in node.handlers for part in ast.walk(handler.type) if isinstance(part, ast.Name)
            }
            for child in node.body:
                walk(child, name, caught | names)
            for child in (*node.handlers, *node.orelse, *node.finalbody):
                walk(child, name, caught)
            return
        safe = needed <= caught or "Exception" in caught
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.loads", "json.load") and not safe:
            found.add(name)
        for child in ast.iter_child_nodes(node):
            walk(child, name, caught)

    walk(ast.parse(source), "", set())
    return found


@pytest.mark.parametrize(
    ("folder", "needed"),
    [("hcpgraph", {"ValueError"}), ("nodes", {"ValueError", "RecursionError"})],
)
def test_who_reads_json_expects_anything(folder, needed):
    """The engine reads graphs strictly and beside them its own files; nodes read what others made."""
    found = {
        f"{path.relative_to(ROOT).as_posix()}:{name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in careless(path.read_text("utf-8"), needed)
    }
    assert found <= OWN | CAUGHT_BY_CALLERS, found - OWN - CAUGHT_BY_CALLERS
    assert careless("def f():\n    try:\n        json.loads(x)\n    except KeyError: pass", needed) == {"f"}


@pytest.mark.parametrize("name", WRONG)
def test_very_many_faults_of_one_node(tmp_path, live, name):
    data = one(*WRONG[name])
    said = told(tmp_path, data)
    assert len(said.splitlines()) < 60 and "19,98" in said
    reply = live.post("/api/check", {"graph": json.loads(data)}, "Check")
    assert len(reply["problems"]) == 21 and not reply["ok"]


@pytest.mark.slow
def test_very_many_faulty_nodes(tmp_path, live):
    data = text({f"n{i}": {"type": "no.such", "version": 1} for i in range(20_000)})
    said = told(tmp_path, data)
    assert (
        len(said.splitlines()) < 250 and "and 19,000 more problems" in said and "1,001 problems 100 are shown" in said
    )
    as_json = json.loads(CliRunner().invoke(main, ["validate", str(tmp_path / "graph.json"), "--json"]).stdout)
    assert len(as_json["problems"]) == MAX_PROBLEMS + 1
    reply = live.post("/api/check", {"graph": json.loads(data)}, "Check")
    assert [problem["code"] for problem in reply["problems"]] == ["E_TYPE_UNKNOWN"] * MAX_PROBLEMS + ["E_MORE"]


@pytest.mark.parametrize(
    ("data", "left"),
    [(text({f"n{i}": {"type": "a.b", "x": 1} for i in range(5_000)}), "4,000 more problems"),
     (one("value.list", {"value": []}).replace("[]", f"[{', '.join(['NaN'] * 5_000)}]"), "more mistakes of this kind")],
)  # fmt: skip
def test_very_many_faults_of_the_file_itself(tmp_path, data, left):
    with pytest.raises(GraphErrors) as raised:
        hcpgraph.loads(data)
    assert len(raised.value.problems) <= MAX_PROBLEMS + 1 and left in raised.value.problems[-1].message
    assert len(told(tmp_path, data).splitlines()) < 250


SHOWN = {
    "title": lambda name: text({"a": {"type": "value.int", "version": 1, "title": name}}),
    "meta": lambda name: text({}, meta={"title": name}),
    "description": lambda name: text({}, meta={"description": f"line\n{name}"}),
    "author": lambda name: text({}, meta={"authors": [name]}),
    "pack": lambda name: text({}, requires={"packs": {name: ">=1"}}),
    "file": lambda name: text({}, requires={"files": {f"data:{name}": {"sha256": "0" * 64}}}),
}


@pytest.mark.parametrize("place", SHOWN)
@pytest.mark.parametrize("name", [TURNED, "a\x1b[31mred", "a\x00b", "\u2066a"])
def test_names_that_show_something_else(tmp_path, live, place, name):
    data = SHOWN[place](name)
    for command in ("validate", "inspect", "fmt"):
        said = told(tmp_path, data, command=command)
        assert "E_TEXT" in said and not hidden(said.replace("\n", ""))
    reply = live.request("POST", "/api/import", data.encode(), {"Content-Type": "application/octet-stream"})
    assert reply.status == 422 and reply.codes() == ["E_TEXT"]
    assert not any(hidden(problem["message"]) for problem in reply.json()["problems"])


@pytest.mark.parametrize("name", ["猫 LoRA", "👩‍👩‍👧 family", "قطة", "a\u00a0b", "crème brûlée"])
def test_names_of_all_languages_are_names(name):
    for make in SHOWN.values():
        hcpgraph.loads(make(name))
    assert visible(name) == name and not hidden(name)


def test_paths(tmp_path, live):
    data = one("image.load", {"path": f"data:{TURNED}"})
    said = told(tmp_path, data)
    assert "E_PATH a.path" in said and "\\u202e" in said and "\u202e" not in said
    (problem,) = (
        p for p in live.post("/api/check", {"graph": json.loads(data)}, "Check")["problems"] if p["code"] == "E_PATH"
    )
    assert "\\u202e" in problem["message"]
    assert not hidden(_file_name(TURNED))
    refused = live.upload((TURNED, b"x"))
    assert refused.status == 422 and refused.codes() == ["E_UPLOAD"]


def test_names_in_a_folder_are_shown_as_they_are(workspace):
    """A picture that is there is read by whatever name; what is said of it turns nothing around."""
    folder = workspace / "data" / "set"
    folder.mkdir(parents=True)
    (folder / f"{TURNED}.png").write_bytes(b"no picture")
    g = hcpgraph.loads(one("data.folder", {"path": "data:set", "on_missing": "empty", "check": "decode"}))
    events = []
    result = hcpgraph.run(g, workspace=workspace, on_event=events.append)
    message = result.failed["a"].problem.message
    assert "cat\\u202egnp.exe" in message
    assert not any("\u202e" in json.dumps(event, ensure_ascii=False) for event in events)
    ctx = context(workspace)
    ctx.run.events.listener = events.append
    ctx.log(f"{TURNED}\nsecond {'x' * 100_000}")
    assert (
        events[-1]["message"].startswith("cat\\u202egnp.exe\nsecond x") and len(events[-1]["message"]) < LONGEST + 100
    )


def test_problems_are_short_and_visible():
    problem = Problem("E_X", "\x1b[2J" + "x" * 100_000, "node", hint=TURNED)
    assert (
        problem.message.startswith("\\u001b[2J") and "98,0" in problem.message and len(problem.message) < LONGEST + 100
    )
    assert problem.hint == "cat\\u202egnp.exe"
    assert Problem("E_X", problem.message) == Problem("E_X", problem.message)


def picture():
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "PNG")
    return data.getvalue()


def entry(name, size, content=b"", kind=b"0"):
    """A tar entry whose header says another size than its content has."""
    head = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)[:512])
    head[124:136], head[156:157], head[148:156] = size, kind, b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + content + bytes(-len(content) % 512)


def octal(size):
    return b"%011o\0" % size


def binary(size):
    return b"\x80" + size.to_bytes(11, "big") if size >= 0 else b"\xff" + (256**11 + size).to_bytes(11, "big")


PNG = picture()
GOOD = entry("a.png", octal(len(PNG)), PNG) + entry("a.txt", octal(3), b"cat")
SHARDS = {
    "a picture of 8 EiB": entry("b.png", binary(2**63), PNG),
    "larger than any number": entry("b.png", binary(2**80), PNG),
    "8 GiB": entry("b.png", octal(2**33 - 1), PNG),
    "a text of 4 EiB": entry("b.txt", binary(2**62), b"x"),
    "below zero": entry("b.png", binary(-512), PNG),
    "far below zero": entry("b.txt", binary(-100_000), b"cat"),
    "a long name of 1 EiB": entry("././@LongLink", binary(2**60), bytes(100), b"L"),
    "a long name below zero": entry("././@LongLink", binary(-512), bytes(100), b"L"),
    "long names without end": (entry("././@LongLink", octal(512), b"x" * 512, b"L")) * 3000,
    "a header of 1 TiB": entry("pax", binary(2**40), b"30 path=aaa\n", b"x"),
    "a size in a header": entry("pax", octal(30), b"30 size=99999999999999999999\n\n", b"x") + entry("b.png", octal(4)),
    "a size of many digits": entry("pax", octal(6000), b"6000 size=" + b"9" * 5989 + b"\n", b"x")
    + entry("b.png", octal(4), PNG),
    "holes": entry("b.png", binary(2**63), PNG, b"S"),
    "not an entry": b"\xff" * 512,
    "cut off": entry("b.png", octal(len(PNG)), PNG)[:600],
}


@pytest.mark.parametrize("name", SHARDS)
def test_shards(workspace, name):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "s.tar").write_bytes(GOOD + SHARDS[name])
    with pytest.raises(GraphError, match=r"E_DATA .*s\.tar") as raised:
        webdataset(context(workspace), path="data:s.tar")
    assert len(str(raised.value)) < 400 and raised.value.problem.hint


def test_a_sound_shard_is_read(workspace):
    (workspace / "data").mkdir(parents=True)
    for end in (b"", bytes(1024), bytes(10240)):
        (workspace / "data" / "s.tar").write_bytes(GOOD + end)
        assert len(webdataset(context(workspace), path="data:s.tar")) == 1
