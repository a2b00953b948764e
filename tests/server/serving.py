"""A server for tests of jobs: in a process of its own, so that it can be killed; its worker imports nothing ahead.

`python -m tests.server.serving WORKSPACE SECONDS PACK…` prints the address; a run that was cancelled has so many seconds
to listen.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import msgpack
import psutil

import hcpgraph
import hcpgraph.testing
from hcpgraph.server.queue import current
from hcpgraph.server.queue.current import CANCEL_SECONDS
from hcpgraph.server.state import ServerState
from tests.server.live import TOKEN, Live, definition

PACK = Path(__file__).parent / "pack"
ENDED = ("done", "failed", "cancelled")
PATIENCE = 60
CHECKED = set()
"""Kinds of events whose shape was compared with the schema: once each, for that is slow."""


class Server(Live):
    """The server, and what tests say to it."""

    def __init__(self, workspace, packs=(hcpgraph.testing.FOLDER, PACK), seconds=CANCEL_SECONDS):
        self.workspace = Path(workspace)
        (self.workspace / "data").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.server.serving", str(workspace), str(seconds), *map(str, packs)]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` ends it
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, cwd=Path(__file__).parents[2]
        )
        address = self.process.stdout.readline().decode().split()
        assert address, self.said()
        self.host, self.port, self.token = "127.0.0.1", int(address[0]), TOKEN

    def run(self, graph, **more):
        """Queue a graph; gives the id."""
        return self.post("/api/jobs", {"graph": graph, **more}, "Job")["id"]

    def job(self, id):
        return self.get(f"/api/jobs/{id}")["job"]

    def wait(self, id, *statuses):
        """The job once it has one of these statuses, by default once it has ended."""
        return until(lambda: self.job(id), lambda job: job["status"] in (statuses or ENDED))

    def wait_for_event(self, id, found):
        """Until the run has said something."""
        return until(lambda: self.events(id), lambda events: any(found(event) for event in events))

    def events(self, id, since=0):
        events = self.get(f"/api/jobs/{id}/events?since={since}")
        for event in {event["kind"]: event for event in events}.values():
            if event["kind"] not in CHECKED:
                definition("RunEvent").validate(event)
                CHECKED.add(event["kind"])
        return events

    def queue(self, *statuses):
        return [job["id"] for job in self.get(f"/api/jobs?status={','.join(statuses or ['queued'])}")]

    def worker(self):
        return self.get("/api/hello")["worker"]

    def ready(self):
        """The worker's state, once it has nothing to do."""
        return until(self.worker, lambda state: state["state"] == "idle")

    def cancel(self, id):
        return self.post(f"/api/jobs/{id}/cancel", {}, "Job")

    def open(self, gate="gate"):
        """Let nodes go on that wait for this file."""
        (self.workspace / "data" / gate).touch()

    def page(self):
        return Page(self)


class Page:
    """The socket of a page: `async with server.page() as page`."""

    def __init__(self, server):
        self.server = server
        self.messages, self.frames = [], []

    async def __aenter__(self):
        self.session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
        self.socket = await self.session.ws_connect(f"ws://127.0.0.1:{self.server.port}/api/ws")
        return self

    async def __aexit__(self, *error):
        await self.socket.close()
        await self.session.close()

    async def say(self, **message):
        await self.socket.send_json(message)

    async def follow(self, job, since=0):
        await self.say(type="follow", job=job, since=since)

    async def until(self, found):
        """Listen until this is true of the page."""
        async with asyncio.timeout(PATIENCE):
            while not found(self):
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.messages.append(message.json())
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self.frames.append(msgpack.unpackb(message.data))
                else:
                    raise ConnectionError(str(message))

    def events(self, job):
        return [e for m in self.messages if m["type"] == "events" and m["job"] == job for e in m["events"]]

    def ended(self, job):
        return any(event["kind"] == "run_done" for event in self.events(job))


def until(look, good, seconds=PATIENCE):
    """What `look` gives once it is good; fails loudly when that never comes."""
    end = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def graph(**nodes):
    """A graph of unconnected nodes: id=("type", settings), as JSON data."""
    drawing = hcpgraph.Graph()
    for id, (type, settings) in nodes.items():
        drawing.add(type, id, **settings)
    return drawn(drawing)


def drawn(drawing):
    import json

    return {"interface": {}, "graphs": {}, "view": {}, "meta": {}, "requires": {}, "edges": {}} | json.loads(
        drawing.dump()
    )


async def _main(workspace, seconds, packs):
    from aiohttp import web

    from hcpgraph.paths import Roots
    from hcpgraph.server.http.app import create_app
    from hcpgraph.server.queue.database import Jobs
    from hcpgraph.server.queue.hub import Hub
    from hcpgraph.server.queue.supervisor import Supervisor

    current.CANCEL_SECONDS = seconds
    roots, hub = Roots(workspace.resolve()), Hub()
    jobs = Jobs(roots.root("cache") / "server" / "jobs.sqlite")
    supervisor = Supervisor(roots, packs, jobs, hub, warm=False)
    runner = web.AppRunner(create_app(ServerState(roots, packs, TOKEN, jobs, supervisor, hub)), access_log=None)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], os.getpid(), flush=True)
    await stopped.wait()
    await runner.cleanup()
    assert "torch" not in sys.modules


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), float(sys.argv[2]), tuple(Path(pack) for pack in sys.argv[3:])))
