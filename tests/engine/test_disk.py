"""A disk that is full or cannot be written: what is said, what is left, what goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hcpgraph
import hcpgraph.testing
from hcpgraph import GraphErrors
from hcpgraph.disk import told_by_safetensors
from hcpgraph.events import replay

from .support import graph
from .training_graphs import PACK, training

LIMITED = """
import resource, sys
import torch, hcpgraph.api
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from hcpgraph.cli import main
main()
"""
"""`hcpgraph` on a disk that takes no file above some size: real errors of the system, as a full one gives them."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")


def limited(limit: int, tmp_path: Path, **loop) -> subprocess.CompletedProcess[str]:
    training(30, drift=True, **loop).save(tmp_path / "graph.json")
    command = ["run", str(tmp_path / "graph.json"), "--pack", str(PACK), "--workspace", str(tmp_path / "ws"), "--json"]
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )


def test_a_run_that_cannot_be_recorded_is_not_begun_and_leaves_nothing(tmp_path):
    done = limited(300, tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (problem,) = (one for one in json.loads(done.stdout)["problems"] if one["severity"] == "error")
    assert problem["code"] == "E_DISK" and "--workspace DIR" in problem["hint"]
    assert not list((tmp_path / "ws/runs").glob("*/*"))


def test_a_full_disk_ends_a_training_with_what_to_do_and_the_record_says_where_it_ends(tmp_path):
    """1,600 bytes: the graph and the end of the record fit, a checkpoint and the events of thirty steps do not."""
    done = limited(1600, tmp_path, checkpoint_every=10)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert told["failed"]["train"]["code"] == "E_DISK" and "--out DIR" in told["failed"]["train"]["hint"]
    assert "W_RECORD" in {problem["code"] for problem in told["problems"]}
    empty = [path for path in (tmp_path / "ws").rglob("*") if path.is_file() and path.stat().st_size == 0]
    assert not empty and not list((tmp_path / "ws").rglob("*.part"))


def test_a_record_that_ends_early_ends_no_run(workspace, tmp_path):
    """The file is closed under the log, as a disk does that goes away."""
    heard = []

    def listener(event):
        heard.append(event)
        if event["kind"] == "node_done" and event["node"] == "made":
            (path,) = workspace.glob("runs/*/events.jsonl")
            for number in os.listdir("/proc/self/fd"):
                if os.path.realpath(f"/proc/self/fd/{number}") == str(path.resolve()):
                    full = os.open("/dev/full", os.O_WRONLY)
                    os.dup2(full, int(number))
                    os.close(full)

    done = hcpgraph.run(training(3), packs=[PACK], workspace=workspace, on_event=listener, disk_cache=False)
    assert done.status == "done"
    (warning,) = (problem for problem in done.problems if problem.code == "W_RECORD")
    assert "no space left" in warning.message.lower()
    assert any("the record of this run ends here" in event.get("message", "") for event in heard)
    assert heard[-1]["kind"] == "run_done" and list(replay(done.folder / "events.jsonl"))[-1]["kind"] == "node_done"
    assert "no space" in json.loads((done.folder / "run.json").read_text())["record_ends"].lower()


@pytest.mark.parametrize("place", ["/sys/hcpgraph", "FILE"])
def test_a_workspace_that_cannot_be_written_is_told_before_anything_runs(place, tmp_path):
    (tmp_path / "file").write_text("x")
    workspace = tmp_path / "file/below" if place == "FILE" else Path(place)
    with pytest.raises(GraphErrors) as caught:
        hcpgraph.run(graph({"n": "toy.number"}, {}), packs=[hcpgraph.testing.FOLDER], workspace=workspace)
    assert [problem.code for problem in caught.value.problems] == ["E_DISK"]


def test_what_safetensors_says_of_the_disk_is_an_error_of_the_system():
    from safetensors import SafetensorError

    with pytest.raises(OSError, match="no space") as caught, told_by_safetensors():
        raise SafetensorError("Error while serializing: I/O error: no space left on device (os error 28)")
    assert caught.value.errno == 28
