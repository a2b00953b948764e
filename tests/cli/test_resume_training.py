"""Ctrl-C in the middle of a training, then `--resume`: the same weights, bit for bit."""

import json
import signal
import sys
import time

import pytest

from ..engine.training_graphs import PACK, SLOWLY, training

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]
STEPS = 40
LONGEST = 120


def at_step(number, workspace, running):
    """Wait until the training has told of a step."""
    end = time.monotonic() + LONGEST
    while not any(f'"step":{number}' in file.read_text() for file in workspace.rglob("events.jsonl")):
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_interrupted_and_resumed_equals_uninterrupted(process, cli, tmp_path):
    graph, slowly, workspace = tmp_path / "train.json", tmp_path / "slowly.py", tmp_path / "stopped"
    training(STEPS, drift=True, checkpoint_every=0, log_every=1).save(graph)
    slowly.write_text(SLOWLY)
    running = process("run", graph, "--pack", PACK, "--workspace", workspace, script=slowly)
    at_step(3, workspace, running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=LONGEST)
    assert running.returncode == 130, err
    assert "a checkpoint is kept" in err and "Traceback" not in err
    (kept,) = (int(path.name.removeprefix("step-")) for path in (workspace / "cache/train").rglob("step-*"))
    assert 3 <= kept < STEPS
    (record,) = workspace.rglob("run.json")
    assert json.loads(record.read_text())["status"] == "cancelled"

    plan = cli("run", "--resume", "last", "--workspace", workspace, "--dry-run", "--json")
    rows = {row["node"]: row for row in json.loads(plan.stdout)["nodes"]}
    assert rows["train"]["checkpoint"] == kept
    assert rows["noise0"]["inside"] == "train" and rows["noise0"]["when"] == "every step"
    resumed = cli("run", "--resume", "last", "--workspace", workspace, "--json")
    assert f"going on: checkpoint of step {kept} of {STEPS}" in resumed.stderr
    whole = cli("run", graph, "--pack", PACK, "--workspace", tmp_path / "whole", "--json")
    again = cli("run", "--resume", "last", "--workspace", workspace, "--json")
    assert "nothing to train" in again.stderr
    weights = [json.loads(text)["outputs"]["w.out"] for text in (resumed.stdout, whole.stdout, again.stdout)]
    assert weights[0] == weights[1] == weights[2]
