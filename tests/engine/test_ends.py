"""Ends that nobody planned: nodes that end the process, Ctrl-C in a script, checkpoints by the clock, events as they happen."""

import json
import os
import signal
import subprocess
import sys

import pytest

import hcpgraph
from hcpgraph.events import EventLog, replay
from hcpgraph.testing import FOLDER

from .support import graph
from .training_graphs import PACK, training

ENDING = """
import sys
from hcpgraph import node

@node("end.exit")
def exit(*, code: int = 3) -> float:
    \"\"\"End the process.

    Args:
        code: What it ends with.
    \"\"\"
    sys.exit(code)

@node("end.interrupt")
def interrupt() -> float:
    \"\"\"Do as if Ctrl-C had been pressed.\"\"\"
    raise KeyboardInterrupt

@node("end.insist")
def insist() -> float:
    \"\"\"Press Ctrl-C twice.\"\"\"
    import signal
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    return 0.0

@node("end.inside")
def inside(step: int) -> float:
    \"\"\"End the process in the second pass.

    Args:
        step: Number of the pass.
    \"\"\"
    if step:
        raise SystemExit("no more")
    return 0.0
"""


@pytest.fixture(scope="module")
def ending(tmp_path_factory):
    place = tmp_path_factory.mktemp("ending")
    (place / "nodes.py").write_text(ENDING)
    return place


@pytest.mark.parametrize(("kind", "said"), [("end.exit", "SystemExit: 3"), ("end.interrupt", "KeyboardInterrupt")])
def test_a_node_that_ends_the_process_fails_alone(ending, workspace, kind, said):
    g = graph({"bad": kind, "good": "toy.number"}, {})
    done = hcpgraph.run(g, workspace=workspace, packs=[FOLDER, ending], on_error="continue")
    assert done.status == "failed" and done.ran == ["good"]
    assert done.failed["bad"].problem.code == "E_RUN" and said in str(done.failed["bad"])


def test_a_node_of_a_region_that_ends_the_process_is_named(ending, workspace):
    g = graph({"again": ("flow.repeat", {"times": 3}), "start": "toy.number"}, {"again.state": "start.out"})
    g.add("end.inside", "stops", inside="again")
    g.connect("again.index", "stops.step")
    g.connect("stops.out", "again.next")
    done = hcpgraph.run(g, workspace=workspace, packs=[FOLDER, ending])
    problem = done.failed["again"].problem
    assert (done.status, problem.node) == ("failed", "stops") and "SystemExit: no more" in problem.message


SCRIPT = """
import sys, time
from pathlib import Path
import hcpgraph
import hcpgraph.running.step as step

real = step.StepModule.forward
def slowly(self, *args, **kwargs):
    print("step", flush=True)
    time.sleep(0.2)
    return real(self, *args, **kwargs)
step.StepModule.forward = slowly
done = hcpgraph.run(sys.argv[1], packs=[sys.argv[2]], workspace=sys.argv[3])
print("status", done.status, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_second_ctrl_c_is_a_keyboard_interrupt_and_the_record_says_cancelled(ending, workspace):
    """Sent from inside of a node, where a person would press it; afterwards the signal means what it meant before."""
    g = graph({"insist": "end.insist"}, {})
    with pytest.raises(KeyboardInterrupt):
        hcpgraph.run(g, workspace=workspace, packs=[FOLDER, ending])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (record,) = workspace.glob("runs/*/run.json")
    assert json.loads(record.read_text())["status"] == "cancelled"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_in_a_script_stops_after_the_step_and_the_script_goes_on(tmp_path):
    training(40, drift=True).save(tmp_path / "graph.json")
    workspace = tmp_path / "workspace"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "graph.json"), str(PACK), str(workspace)]
    paths = os.pathsep.join(path for path in sys.path if path)
    script = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert script.stdout is not None and [script.stdout.readline() for _ in range(2)] == ["step\n"] * 2
    script.send_signal(signal.SIGINT)
    said, _ = script.communicate(timeout=120)
    assert script.returncode == 0 and said.splitlines()[-1] == "status cancelled"
    (kept,) = (path.name for path in (workspace / "cache/train").rglob("step-*"))
    assert kept != "step-00000040"
    weights = [
        hcpgraph.run(training(40, drift=True), packs=[PACK], workspace=place).outputs["w.out"]
        for place in (workspace, tmp_path / "whole")
    ]
    assert weights[0] == weights[1]


def checkpoints(done):
    return [event["step"] for event in replay(done.folder / "events.jsonl") if event["kind"] == "checkpoint"]


def test_a_checkpoint_is_kept_by_the_clock_and_changes_nothing(workspace, tmp_path):
    """Every step takes longer than a millionth of a minute; ten minutes, the default, none does."""
    options = {"packs": [PACK], "disk_cache": False}
    often = hcpgraph.run(training(4, drift=True, checkpoint_minutes=1e-6), workspace=workspace, **options)
    usual = hcpgraph.run(training(4, drift=True), workspace=tmp_path / "usual", **options)
    assert checkpoints(often) == [1, 2, 3, 4] and checkpoints(usual) == [4]
    assert often.outputs["w.out"] == usual.outputs["w.out"]
    changed = hcpgraph.run(training(4, drift=True, checkpoint_minutes=3), workspace=workspace, **options)
    assert checkpoints(changed) == [], "it is no part of the key: there is nothing to train"


def test_every_event_is_on_the_disk_when_it_has_happened(tmp_path):
    log = EventLog("run", tmp_path / "events.jsonl")
    for number, kind in enumerate(("run_started", "metric", "progress", "log", "node_done"), 1):
        log.emit(kind, "n")
        assert [event["seq"] for event in replay(tmp_path / "events.jsonl")] == list(range(1, number + 1))
    log.close()
