"""Broken graphs through the real command line: exit code 2, every problem with its code, no traceback, nothing written."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import hcpgraph.testing
from hcpgraph.cli import main

from .broken import ADD, BROKEN, INNER, LOOP, LOOP_WIRES, TRAIN, TRAIN_WIRES, graph, node, read

PACKS = ("--pack", str(hcpgraph.testing.FOLDER), "--pack", str(Path(__file__).resolve().parents[1] / "packs"))


@pytest.fixture(autouse=True)
def own_config(tmp_path, monkeypatch):
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(tmp_path / "config"))


def tree(folder):
    return sorted((path.relative_to(folder), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


PROBLEM = re.compile(r"error: (E_\w+)(?: ([\w/.-]+):(?= ))?")


def refused(folder, command, file, *more, codes, texts=()):
    """Call the command line: exit code 2, these problems and no others, nothing written."""
    before = tree(folder)
    arguments = [command, str(file), *PACKS, "--workspace", str(folder / "ws"), *more]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    found = {
        " ".join(PROBLEM.match(line).groups("")).strip() for line in result.stderr.splitlines() if PROBLEM.match(line)
    }
    assert found == codes
    for text in texts:
        assert text in result.stderr
    as_json = CliRunner().invoke(main, [*arguments, "--json"])
    assert as_json.exit_code == 2
    assert {problem["code"] for problem in json.loads(as_json.stdout)["problems"]} >= {c.split(" ")[0] for c in codes}
    assert tree(folder) == before


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize("name", BROKEN)
def test_broken(tmp_path, name, command):
    data, codes, texts = BROKEN[name]
    file = tmp_path / "graph.json"
    file.write_bytes(data)
    refused(tmp_path, command, file, codes=codes, texts=texts)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_file_of_100_mb(tmp_path, command):
    file = tmp_path / "graph.json"
    with file.open("wb") as opened:
        opened.write(b'{"format": "hcpgraph/1"')
        opened.truncate(100 * 2**20)
    refused(tmp_path, command, file, codes={"E_TOO_LARGE"}, texts=["8 MB"])


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_folder_and_nothing_at_all(tmp_path, command):
    refused(tmp_path, command, tmp_path, codes={"E_FILE"}, texts=["is a folder"])
    refused(tmp_path, command, tmp_path / "none.json", codes={"E_FILE"}, texts=["there is no file"])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_link_that_leaves_its_root(tmp_path, command):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "ws" / "out").mkdir(parents=True)
    (tmp_path / "ws" / "out" / "link").symlink_to(tmp_path)
    file = tmp_path / "graph.json"
    file.write_bytes(read("out:link/secret.txt"))
    refused(tmp_path, command, file, codes={"E_PATH r.path"}, texts=["through a link"])


def test_a_missing_input_file(tmp_path):
    file = tmp_path / "graph.json"
    file.write_bytes(read("data:none.txt"))
    refused(tmp_path, "run", file, codes={"E_NOT_FOUND r.path"})


def test_every_problem_is_listed_at_once(tmp_path):
    file = tmp_path / "graph.json"
    nodes = {
        "typo": node("toy.numbr"),
        "bad": node("toy.number", {"value": "x", "valu": 1}),
        "alone": ADD,
        "word": node("toy.word"),
        "wrong": ADD,
        "file": node("toy.read", {"path": "data:../x"}),
        "object": node("python.object", {"path": "os:system"}),
    }
    file.write_bytes(graph(nodes, {"wrong.a": "word.out", "wrong.b": "nowhere.out"}))
    codes = {
        "E_TYPE_UNKNOWN typo",
        "E_SETTING bad.value",
        "E_SETTING_UNKNOWN bad.valu",
        "E_PORT_MISSING alone.a",
        "E_TYPE wrong.a",
        "E_NODE_UNKNOWN wrong.b",
        "E_PATH file.path",
        "E_TRUST object.path",
    }
    for command in ("validate", "run"):
        refused(tmp_path, command, file, codes=codes)


@pytest.mark.parametrize("name", ["unknown type", "cycle", "binary garbage", "class that is not trusted"])
def test_in_a_process_of_its_own(tmp_path, name):
    data, codes, _ = BROKEN[name]
    file = tmp_path / "graph.json"
    file.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "hcpgraph.cli", "run", "graph.json", *PACKS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.returncode == 2
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert all(code.split(" ")[0] in done.stderr for code in codes)
    assert [path.name for path in tmp_path.iterdir()] == ["graph.json"]


def checked(file):
    result = CliRunner().invoke(main, ["validate", str(file), *PACKS])
    assert result.exit_code in (0, 2), result.exception
    assert "Traceback" not in result.output


def test_random_bytes_never_crash(tmp_path):
    chance = random.Random(7)
    whole = graph(LOOP, LOOP_WIRES)
    file = tmp_path / "graph.json"
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(bytes(data))
        checked(file)


def test_random_drawings_never_crash(tmp_path):
    """Nodes put into any region, with any type and mode, wired from anywhere to anywhere."""
    chance = random.Random(11)
    nodes = (
        LOOP | TRAIN | {"w": node("toy.word"), "s": node("toy.sum"), "c": node("toy.choose"), "g": node("graph:inner")}
    )
    wires = LOOP_WIRES | TRAIN_WIRES | {"c.a": "w.out", "s.numbers.0": "in.out"}
    kinds = [entry["type"] for entry in nodes.values()] + ["toy.each", "toy.split", "toy.write", "no.such", "graph:g"]
    sources = [*wires.values(), "loop.index", "loop.out", "t.out", "t.step", "g.out", "x.y"]
    targets = [*wires, "loop.times", "loop.stop", "in.plus", "g.text", "s.numbers.1", "w.text", "x.y"]
    file = tmp_path / "graph.json"
    for _ in range(300):
        drawn = json.loads(json.dumps(nodes))
        edges = dict(wires)
        for _ in range(chance.randint(1, 6)):
            entry = drawn[chance.choice(list(drawn))]
            match chance.randrange(4):
                case 0:
                    entry["in"] = chance.choice(list(drawn))
                case 1:
                    entry["type"] = chance.choice(kinds)
                case 2:
                    entry["mode"] = chance.choice(["mute", "bypass"])
                case 3:
                    edges[chance.choice(targets)] = chance.choice(sources)
        inner = {"inner": INNER, "g": {"nodes": drawn, "edges": {}}}
        file.write_bytes(graph(drawn, edges, graphs=inner if chance.random() < 0.2 else {"inner": INNER}))
        checked(file)


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    file = tmp_path / "graph.json"
    file.write_bytes(graph({"a": node("toy.number", {"\x1b[2J\x07": 1})}, meta={"title": "\x1b[31mred"}))
    for command in ("validate", "inspect"):
        result = CliRunner().invoke(main, [command, str(file), *PACKS])
        assert "\x1b" not in result.output and "\x07" not in result.output
