"""A training that is killed in the middle of writing a checkpoint."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hcpgraph

from .training_graphs import PACK, training

STEPS = 40
KILLER = """
import os, signal, sys
import safetensors.torch as st

real, count = st.save_file, 0

def dying(tensors, path, *args, **kwargs):
    global count
    count += 1
    real(tensors, path, *args, **kwargs)
    if count == 3:
        with open(path, "r+b") as file:
            file.truncate(200)
        os.kill(os.getpid(), signal.SIGKILL)

st.save_file = dying
from hcpgraph.cli import main
main()
"""


def command(graph: Path, workspace: Path) -> list[str]:
    return ["run", str(graph), "--workspace", str(workspace), "--pack", str(PACK), "--target", "w"]


def weights(steps, workspace):
    return hcpgraph.run(training(steps, drift=True, checkpoint_every=5), packs=[PACK], workspace=workspace).outputs[
        "w.out"
    ]


def checkpoints(workspace: Path) -> list[str]:
    return sorted(path.name for path in (workspace / "cache/train").rglob("step-*"))


@pytest.mark.slow
def test_kill_9_while_a_checkpoint_is_written_loses_only_the_steps_since_the_last_one(workspace, tmp_path):
    graph = tmp_path / "graph.json"
    training(STEPS, drift=True, checkpoint_every=5).save(graph)
    script = tmp_path / "killer.py"
    script.write_text(KILLER)
    done = subprocess.run(
        [sys.executable, str(script), *command(graph, workspace)], capture_output=True, check=False, env={**os.environ}
    )
    assert done.returncode == -signal.SIGKILL
    assert checkpoints(workspace) == ["step-00000005", "step-00000010"]
    assert weights(STEPS, workspace) == weights(STEPS, tmp_path / "whole")
