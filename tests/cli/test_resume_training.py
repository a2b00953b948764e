"""Ctrl-C in the middle of a training, then `--resume`: the same weights, bit for bit."""

import json
import signal
import sys
import time

import pytest

from ..engine.training_graphs import PACK, training

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
LONGEST = 120


def checkpoint(workspace, running):
    """Wait until the training has kept its first checkpoint."""
    end = time.monotonic() + LONGEST
    while not list((workspace / "cache" / "train").glob("*/step-*")):
        assert running.poll() is None and time.monotonic() < end
        time.sleep(0.01)


def weights(process, *arguments):
    running = process("run", *arguments, "--json")
    out, err = running.communicate(timeout=LONGEST)
    assert running.returncode == 0, err
    return json.loads(out)["outputs"]["w.out"], err


def test_interrupted_and_resumed_equals_uninterrupted(process, tmp_path):
    graph = tmp_path / "train.json"
    training(steps=3000, checkpoint_every=10).save(graph)
    workspace = tmp_path / "stopped"
    running = process("run", graph, "--pack", PACK, "--workspace", workspace)
    checkpoint(workspace, running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=LONGEST)
    assert running.returncode == 130
    assert "a checkpoint is kept" in err and "Traceback" not in err
    plan = process("run", "--resume", "last", "--workspace", workspace, "--dry-run", "--json")
    rows = {row["node"]: row for row in json.loads(plan.communicate(timeout=LONGEST)[0])["nodes"]}
    assert 0 < rows["train"]["checkpoint"] < 3000
    assert rows["noise0"]["inside"] == "train" and rows["noise0"]["when"] == "every step"
    resumed, err = weights(process, "--resume", "last", "--workspace", workspace)
    assert "going on: checkpoint of step" in err
    whole, _ = weights(process, graph, "--pack", PACK, "--workspace", tmp_path / "whole")
    assert resumed == whole
    again, err = weights(process, "--resume", "last", "--workspace", workspace)
    assert again == whole and "nothing to train" in err
