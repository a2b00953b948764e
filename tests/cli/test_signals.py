"""Ctrl-C and SIGTERM, with real processes."""

import json
import signal
import sys

import pytest

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
