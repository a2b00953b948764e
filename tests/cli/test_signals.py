"""Ctrl-C, SIGTERM and terminals that are closed, with real processes."""

import json
import os
import pty
import select
import signal
import sys
import time

import pytest

from ..engine.training_graphs import PACK, SLOWLY, training
from .conftest import SLOW, TOYS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def wait_for(stream, text):
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"'{text}' was never said")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step(process, write, workspace, number):
    graph = write({"slow": ("slow.wait", {}), "next": ("toy.add", {})}, {"next.a": "slow.out"})
    running = process("run", graph, "--pack", SLOW, "--pack", TOYS, "--workspace", workspace, "--json")
    wait_for(running.stderr, "waiting")
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopping after this step, once more to quit at once" in err
    assert "Traceback" not in err
    assert json.loads(out)["status"] == "cancelled"
    record = next((workspace / "runs").glob("*/run.json"))
    assert json.loads(record.read_text())["status"] == "cancelled"


def test_a_second_one_quits_at_once(process, write, workspace):
    running = process("run", write({"deaf": ("slow.deaf", {})}), "--pack", SLOW, "--workspace", workspace)
    wait_for(running.stderr, "waiting")
    running.send_signal(signal.SIGINT)
    wait_for(running.stderr, "once more")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err


def test_a_closed_terminal_stops_after_the_step_and_keeps_a_checkpoint(tmp_path):
    """A real terminal: what it is told goes nowhere once it is gone, and the training ends as by Ctrl-C."""
    graph, slowly, workspace = tmp_path / "train.json", tmp_path / "slowly.py", tmp_path / "workspace"
    training(400, drift=True).save(graph)
    slowly.write_text(SLOWLY)
    child, terminal = pty.fork()
    if child == 0:
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        command = ["run", str(graph), "--pack", str(PACK), "--workspace", str(workspace)]
        os.execv(sys.executable, [sys.executable, str(slowly), *command])
    end = time.monotonic() + 120
    while not any('"step":3' in file.read_text() for file in workspace.rglob("events.jsonl")):
        assert time.monotonic() < end
        select.select([terminal], [], [], 0.05)
        os.read(terminal, 1 << 16)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    (record,) = workspace.rglob("run.json")
    assert json.loads(record.read_text())["status"] == "cancelled"
    assert list((workspace / "cache/train").rglob("step-*"))


def test_a_run_that_is_told_to_live_on_without_its_terminal_does(process, write, workspace, tmp_path):
    """What nohup does: SIGHUP is ignored from the start."""
    script = tmp_path / "nohup.py"
    script.write_text(
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom hcpgraph.cli import main\nmain()\n"
    )
    graph = write({"slow": ("slow.wait", {"times": 100})})
    running = process("run", graph, "--pack", SLOW, "--workspace", workspace, "--json", script=script)
    wait_for(running.stderr, "waiting")
    running.send_signal(signal.SIGHUP)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and json.loads(out)["status"] == "done"
