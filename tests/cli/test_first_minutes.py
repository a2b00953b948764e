"""What a new user sees first: the demo, the folders that it makes, the command that comes next."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from hcpgraph.cli.progress import Bars, Lines, display
from hcpgraph.cli.workspace import HELP, welcome

from .conftest import TOYS


def test_the_folders_for_pictures_and_models_are_made_with_a_line_of_help(cli, chain, tmp_path):
    workspace = tmp_path / "ws"
    cli("run", chain, "--pack", TOYS, "--workspace", workspace)
    for name, text in HELP.items():
        assert (workspace / name / "README.txt").read_text("utf-8") == text
        assert f"{name}:" in text and re.search("[\u4e00-\u9fff]", text)
    (workspace / "data/README.txt").unlink()
    cli("run", chain, "--pack", TOYS, "--workspace", workspace)
    assert not (workspace / "data/README.txt").exists()


def test_folders_that_lie_elsewhere_are_not_made(tmp_path):
    welcome(tmp_path / "ws", {"data": tmp_path / "mine"})
    assert not (tmp_path / "mine").exists() and not (tmp_path / "ws/data").exists()
    assert (tmp_path / "ws/models").is_dir()


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_a_brief_display_tells_progress_and_what_went_wrong(capsys, kind):
    with kind(True) as shown:
        for event in (
            {"kind": "node_started", "node": "a"},
            {"kind": "progress", "node": "a", "value": 1, "total": 2, "loss": 0.5},
            {"kind": "log", "node": "a", "message": "as it should be", "level": "info"},
            {"kind": "log", "node": "a", "message": "something was cut", "level": "warning"},
            {"kind": "artifact", "node": "a", "uri": "out:x.png"},
            {"kind": "node_done", "node": "a", "seconds": 9.0},
            {"kind": "node_failed", "node": "b"},
        ):
            shown(event)
    told = capsys.readouterr().err
    assert "something was cut" in told and "b: failed" in told
    assert not any(text in told for text in ("as it should be", "started", "done in", "out:x.png"))
    assert isinstance(display(brief=True), Lines)


@pytest.mark.long
def test_the_demo_ends_with_the_picture_and_a_command_that_works(tmp_path):
    call = [sys.executable, "-m", "hcpgraph.cli"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    demo = subprocess.run([*call, "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    lines = demo.stderr.splitlines()
    assert sum(not re.search(r"\d+ of \d+", line) for line in lines) <= 8, demo.stderr
    said = dict(line.split(": ", 1) for line in lines[-4:])
    assert list(said) == ["the LoRA", "the picture", "draw others", "the editor"]
    assert (tmp_path / said["the picture"]).is_file() and (tmp_path / said["the LoRA"]).is_file()
    again = shlex.split(said["draw others"])
    assert again[0] == "hcpgraph"
    subprocess.run([*call, *again[1:]], cwd=tmp_path, env=environment, check=True)
    assert len(list((tmp_path / "workspace/out/quickstart").glob("generated*.png"))) == 2
