"""Whatever ends, and however: no process that it had started is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

import hcpgraph
from hcpgraph.declaring.registry import default_registry
from tests.server.serving import Server

PACK = Path(__file__).resolve().parents[1] / "packs/loader_pack"
PATIENCE = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="no process groups and no SIGKILL here"),
]


def reading(steps: int = 1_000_000) -> hcpgraph.Graph:
    """Two workers read ahead for ever."""
    g = hcpgraph.Graph()
    g.add("loader_pack.paint", "paint")
    g.add("data.fixed_bucket", "buckets", width=16, height=16)
    g.add("data.loader", "loader", batch_size=3, workers=2)
    g.add("loader_pack.drain", "drain", steps=steps)
    for source, target in (
        ("paint.out", "buckets.dataset"),
        ("buckets.out", "loader.data"),
        ("loader.out", "drain.loader"),
    ):
        g.connect(source, target)
    return g


def said(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether all have ended, or will have soon; a zombie has, it is only not buried."""
    end = time.monotonic() + PATIENCE
    while left := [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > end:
            print([said(one) for one in left])
            return False
        time.sleep(0.02)
    return True


def a_server_that_reads(workspace: Path) -> tuple[Server, str, list[psutil.Process]]:
    """A server in the middle of a job, and its family: the worker, the forkserver, two readers and more."""
    default_registry([PACK])
    server = Server(workspace, packs=(PACK,))
    job = server.run(json.loads(reading().dump()))
    server.wait_for_event(job, lambda event: event["kind"] == "progress" and event["value"] > 4)
    found = family(server.process.pid)
    assert sum("multiprocessing.forkserver" in said(one) for one in found) == 3
    return server, job, found


def test_a_server_is_killed(tmp_path: Path) -> None:
    server, _, found = a_server_that_reads(tmp_path)
    server.process.kill()
    server.process.wait()
    assert are_gone(found)
    server.close()


BUSY = """
import asyncio, time
from hcpgraph.server.helpers.pool import Pool

async def main():
    pool = Pool(size=1)
    await pool.run(divmod, 7, 2)
    print("busy", flush=True)
    await pool.run(time.sleep, 300)

asyncio.run(main())
"""


def test_a_server_is_killed_while_a_helper_works() -> None:
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None and child.stdout.readline() == b"busy\n"
        found = family(child.pid)
        child.kill()
    assert len(found) == 1 and are_gone(found)


def test_a_worker_is_killed_and_the_next_one_reads(tmp_path: Path) -> None:
    server, job, found = a_server_that_reads(tmp_path)
    worker = psutil.Process(server.worker()["pid"])
    readers = worker.children(recursive=True)
    worker.kill()
    assert server.wait(job)["reason"]["code"] == "E_KILLED"
    assert len(readers) >= 4 and are_gone(readers)
    assert server.wait(server.run(json.loads(reading(5).dump())))["status"] == "done"
    found += family(server.process.pid)
    assert (server.close(), server.said()) == (0, "")
    assert are_gone(found)


MOMENTS = {
    "manifest": ("hcpgraph.declaring.manifest", 1),
    "tracker": ("multiprocessing.resource_tracker", 1),
    "forkserver": ("multiprocessing.forkserver", 1),
    "reader": ("multiprocessing.forkserver", 2),
    "helper": ("hcpgraph.server.helpers.pool", 1),
    "worker": ("hcpgraph.server.queue.worker", 1),
}
"""A part of a command line, and of how many processes."""


@pytest.mark.parametrize(
    ("command", "moment"),
    [("run", one) for one in ("manifest", "tracker", "forkserver", "reader")]
    + [("serve", one) for one in ("manifest", "helper", "worker")],
)
def test_control_c_during_the_start(command: str, moment: str, tmp_path: Path) -> None:
    """SIGINT goes to the whole group, as from a terminal, as soon as a process of this kind is there."""
    graph = tmp_path / "graph.json"
    graph.write_text(reading().dump())
    arguments = ["run", str(graph)] if command == "run" else ["serve", "--port", "0", "--no-browser"]
    cache = str(tmp_path / "cache") if moment == "manifest" else os.environ["HCPGRAPH_CACHE"]
    default_registry([PACK])
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "hcpgraph.cli", *arguments, "--workspace", str(tmp_path), "--pack", str(PACK)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, "HCPGRAPH_CACHE": cache},
        )
        found: set[psutil.Process] = set()
        asked, end = False, time.monotonic() + 2 * PATIENCE
        while child.poll() is None and time.monotonic() < end:
            found |= set(family(child.pid))
            text, count = MOMENTS[moment]
            if not asked and sum(text in said(one) for one in found) >= count:
                asked = True
                os.killpg(child.pid, signal.SIGINT)
            time.sleep(0.002)
        child.kill()
        errors.seek(0)
        words = errors.read().decode()
    assert asked and time.monotonic() < end, words
    assert "Traceback" not in words and child.wait() in (0, 1, 130), words
    assert are_gone(list(found))
