"""A training that is interrupted from outside: Ctrl-C, and kill -9 in the middle of writing a checkpoint."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_ctrl_c_leaves_a_checkpoint_and_130_and_resume_gives_the_same_weights(workspace, tmp_path):
    graph = tmp_path / "graph.json"
    training(STEPS, drift=True, checkpoint_every=0, log_every=1).save(graph)
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time, hcpgraph.running.step as s\n"
        "real = s.StepModule.forward\n"
        "def forward(self, *a, **k):\n    time.sleep(0.1)\n    return real(self, *a, **k)\n"
        "s.StepModule.forward = forward\n"
        "from hcpgraph.cli import main\nmain()\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(slow), *command(graph, workspace)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any('"step":3' in p.read_text() for p in workspace.rglob("events.jsonl")):
        time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    (kept,) = checkpoints(workspace)
    assert 3 <= int(kept.removeprefix("step-")) < STEPS
    record = json.loads(next(workspace.rglob("run.json")).read_text())
    assert record["status"] == "cancelled"

    resumed = subprocess.run(
        [sys.executable, "-m", "hcpgraph.cli", "run", "--resume", "last", "--workspace", str(workspace), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    whole = hcpgraph.run(training(STEPS, drift=True, log_every=1), packs=[PACK], workspace=tmp_path / "whole")
    again = hcpgraph.run(training(STEPS, drift=True, log_every=1), packs=[PACK], workspace=workspace)
    assert again.outputs["w.out"] == whole.outputs["w.out"]


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
