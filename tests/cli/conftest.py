"""Fixtures of the tests of the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hcpgraph.testing
from hcpgraph.cli import main

TOYS = str(hcpgraph.testing.FOLDER)
SLOW = str(Path(__file__).resolve().parents[1] / "packs")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration of one test."""
    folder = tmp_path / "config"
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(folder))
    return folder


@pytest.fixture
def cli():
    """Call the command line in this process: `cli("run", file, …)`."""

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.stderr
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def process(tmp_path: Path):
    """Start the command line, or a script that stands for it, as a process of its own, in an empty folder, with pipes."""

    def start(*arguments: object, script: Path | None = None) -> subprocess.Popen[str]:
        program = ["-m", "hcpgraph.cli"] if script is None else [str(script)]
        command = [sys.executable, *program, *map(str, arguments)]
        paths = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def write(tmp_path: Path):
    """Write a graph file: `write({node: (type, settings)}, {target: source})`."""

    def save(nodes: dict, edges: dict | None = None, name: str = "graph.json", **more: object) -> Path:
        entries = {id: {"type": kind, "version": 1, "settings": settings} for id, (kind, settings) in nodes.items()}
        path = tmp_path / name
        path.write_text(json.dumps({"format": "hcpgraph/1", "nodes": entries, "edges": edges or {}, **more}))
        return path

    return save


@pytest.fixture
def chain(write) -> Path:
    """Two numbers are added and written to `out:toy.txt`."""
    return write(
        {"a": ("toy.number", {"value": 2}), "sum": ("toy.add", {"plus": 1}), "save": ("toy.write", {})},
        {"sum.a": "a.out", "save.value": "sum.out"},
    )
