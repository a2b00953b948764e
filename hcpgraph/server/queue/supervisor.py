"""Runs the queue: one worker process, one job at a time, whatever happens to either.

The worker is replaced after it died, when files of a pack have changed, and after a job that trained, always at once,
so that the next job finds it warm. A job whose worker dies is marked failed with what is known, and the queue goes on.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from ...declaring.registry import default_registry
from ...document import loads
from ...document.overrides import written_out
from ...errors import GraphErrors, Problem
from ...paths import Roots
from ...requests import REQUESTS
from ...version import __version__
from ..helpers.validate import content_hash
from .current import Running, conclude, interrupted, signalled
from .database import Jobs
from .history import recorded
from .hub import Hub, Message
from .job import Job, Status, Work
from .keeper import Keeper
from .meter import Meter
from .process import Process, gone, identity
from .runs import ID, Run, Runs

log = logging.getLogger("hcpgraph.server")

METER_SECONDS = 2.0
AGAIN_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""How often an idle supervisor looks whether pack files have changed."""
STOP_SECONDS = 15.0
HISTORY_SECONDS = 2.0
WORKER = "worker"


class Supervisor:
    """Owns the worker process and decides what it does.

    Args:
        roots, packs: Of the workspace.
        jobs: The queue; started before this.
        hub: The open pages; they are told of every change.
        warm: Whether an idle worker imports what runs will need.

    Attributes:
        runs: Events and curves of the runs of the workspace.
    """

    def __init__(self, roots: Roots, packs: Iterable[Path], jobs: Jobs, hub: Hub, *, warm: bool = True) -> None:
        self.roots = roots
        self.packs = tuple(packs)
        self.jobs = jobs
        self.hub = hub
        self.runs = Runs(roots.root("runs"))
        self._keeper = Keeper(
            roots, self.packs, warm=warm, on_message=self._hear, on_lost=self._lost, on_state=self._tell_worker
        )
        self._current: Running | None = None
        self._claiming = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._scanned = 0.0
        self._scanning = asyncio.Lock()
        hub.connect(self._greeting, self.runs.journal)

    async def start(self) -> None:
        """Settle what an earlier server left behind, and begin to work on the queue."""
        left = await self.jobs.running()
        for work in left:
            await self.jobs.finish(work.job.id, "failed", await self._interrupted(work))
        await self.refresh_history(force=True)
        self._tasks = [
            asyncio.create_task(self._serve([work.job.id for work in left])),
            asyncio.create_task(self._measure()),
        ]

    async def stop(self) -> None:
        """Stop the running job, which keeps a checkpoint and is marked failed, and let the worker end.

        One that takes long to stop is left to it; the next server waits for its end and settles its job.
        """
        self._stopping = True
        self._wake.set()
        ended = await self._keeper.close(STOP_SECONDS)
        for task in self._tasks[1 if ended else 0 :]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if ended:
            await self.jobs.remember(WORKER, None)

    def state(self) -> dict[str, Any]:
        """The schema's WorkerState."""
        return self._keeper.state()

    async def submit(
        self,
        graph: str,
        graph_hash: str,
        *,
        title: str,
        targets: list[str],
        force: list[str],
        allow_write: list[str],
        resume: bool,
        front: bool,
    ) -> Job:
        """Queue a graph that was checked, as canonical text."""
        job = await self.jobs.add(
            graph,
            graph_hash,
            title=title,
            targets=targets,
            force=force,
            allow_write=allow_write,
            resume=resume,
            front=front,
        )
        await self._tell_queue()
        self._keeper.revive()
        self._wake.set()
        return job

    async def job(self, id: str) -> Job:
        """A job, also one that `hcpgraph run` has ended since the last look at the folder of runs.

        Raises:
            GraphErrors: E_NOT_FOUND.
        """
        try:
            return await self.jobs.get(id)
        except GraphErrors:
            if not ID.fullmatch(id) or not await asyncio.to_thread((self.runs.folder / id / "run.json").is_file):
                raise
            await self.refresh_history(force=True)
            return await self.jobs.get(id)

    async def cancel(self, id: str) -> Job:
        """Take a job out of the queue, or stop it; one that has ended stays as it is.

        Raises:
            GraphErrors: E_NOT_FOUND.
        """
        async with self._claiming:
            current = self._current
            if current is not None and current.job.id == id:
                current.cancel()
            elif await self.jobs.cancel_queued(id):
                await self._tell_queue()
        return await self.jobs.get(id)

    async def move(self, id: str, before: str | None) -> list[Job]:
        """Put a queued job before another one, or at the end; gives the queue.

        Raises:
            GraphErrors: E_NOT_FOUND, E_CONFLICT.
        """
        await self.jobs.move(id, before)
        await self._tell_queue()
        return await self.jobs.find(("queued",), limit=-1)

    async def forget(self, id: str) -> None:
        """Remove an ended job from the history.

        Raises:
            GraphErrors: E_NOT_FOUND, E_CONFLICT.
        """
        await self.jobs.forget(id)
        await self._tell_queue()

    async def request(self, id: str, what: str) -> None:
        """Ask a running training for something.

        Raises:
            GraphErrors: E_NOT_FOUND, E_CALL (no such request), E_CONFLICT (the job does not run).
        """
        job = await self.jobs.get(id)
        if what not in REQUESTS:
            raise GraphErrors.one("E_CALL", f"a running training knows no request '{what}'", hint=f"one of {REQUESTS}")
        if self._current is None or self._current.job.id != id:
            raise GraphErrors.one("E_CONFLICT", f"'{job.title or id}' does not run")
        self._current.request(what)

    async def restart(self) -> dict[str, Any]:
        """Replace the worker now; a job that runs is cancelled."""
        if self._current is not None:
            self._current.give_up(Problem("E_RESTARTED", "the worker was restarted by hand while this ran"))
        self._keeper.restart()
        self._wake.set()
        return self.state()

    async def layers(self, graph: str, node: str, setting: str, patterns: list[str]) -> Message:
        """Which layers a node's selectors match: the schema's LayersReply.

        Raises:
            GraphErrors: E_WORKER, there is no worker or it died over it; E_BUSY, the model has to be read for it and a
                job runs.
        """
        return await self._keeper.ask(
            {"do": "layers", "graph": graph, "node": node, "setting": setting, "patterns": patterns}
        )

    async def refresh_history(self, *, force: bool = False) -> None:
        """Take runs of `hcpgraph run` into the history that have ended since the last look."""
        async with self._scanning:
            if not force and time.monotonic() - self._scanned < HISTORY_SECONDS:
                return
            found = await asyncio.to_thread(recorded, self.runs.folder, await self.jobs.known(), self._hash)
            self._scanned = time.monotonic()
            if found:
                await self.jobs.record(found)
                await self._tell_queue()

    def _hash(self, text: str) -> str:
        """The hash of a graph, as the jobs that were made here have it."""
        registry = default_registry(self.packs)
        return content_hash(written_out(loads(text), registry), registry)

    async def _serve(self, left: list[str]) -> None:
        known = await self.jobs.remembered(WORKER)
        if known is not None:
            await gone(known, STOP_SECONDS)
        for id in left:
            run = await self.runs.get(id)
            if run.fold.status == "done":  # its worker came to the end of it without a server
                await self.jobs.correct(id, "done")
                await self._tell_queue()
            await self._conclude(run, await self.jobs.get(id))
        while not self._stopping:
            try:
                if await self._keeper.have(self._started) and (running := await self._next()) is not None:
                    await self._run(running)
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
                self._wake.clear()
            except Exception:
                log.exception("the queue stumbled")
                await self._drop()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _drop(self) -> None:
        """After a mistake of the server's own: the job fails, its worker goes, the queue goes on."""
        current, self._current = self._current, None
        self._keeper.restart()
        if current is not None:
            self.runs.end(current.job.id)
            problem = Problem("E_SERVER", "the server made a mistake; its log says which", hint="please report it")
            with suppress(Exception):
                await self.jobs.finish(current.job.id, "failed", problem)
                await self._tell_queue()

    async def _started(self, worker: Process) -> None:
        """Remember the worker for a server that comes after this one's sudden end."""
        await self.jobs.remember(WORKER, identity(worker.pid))

    async def _next(self) -> Running | None:
        """Take the first job of the queue."""
        async with self._claiming:
            worker = self._keeper.worker
            if worker is None or (work := await self.jobs.claim()) is None:
                return None
            if self._keeper.worker is not worker:
                await self.jobs.put_back(work.job.id)
                return None
            self._current = Running(work, worker, self.runs.begin(work.job.id))
            return self._current

    async def _run(self, running: Running) -> None:
        """Run a job to its end, whichever it is."""
        job, worker, run = running.job, running.worker, running.run
        self._keeper.busy(True)
        await self._tell_queue()
        await running.go()
        status: Status
        problem: Problem | None
        if self._stopping and running.status != "done":
            status, problem = "failed", await self._interrupted(running.work)
        elif running.unasked:
            status, problem = "failed", await self._interrupted(running.work, signalled)
        elif running.told_end:
            status, problem = running.status, running.problem
        else:
            status, problem = await asyncio.to_thread(
                running.post_mortem, self.roots, self.packs, self._keeper.device or "cpu"
            )
        noted = await self.jobs.note(job.id, len(run.fold.artifacts), run.fold.picture())
        reason = problem.to_json() if problem else None
        await self._conclude(run, replace(noted, status=status, reason=reason, ended=time.time()))
        await self.jobs.finish(job.id, status, problem)
        async with self._claiming:
            self._current = None
        self.runs.end(job.id)
        self.hub.news(job.id)
        if self._keeper.worker is worker:
            self._keeper.busy(False)
        await self._tell_queue()
        if running.replace and self._keeper.worker is worker:
            await self._keeper.end()

    async def _interrupted(self, work: Work, why: Callable[..., Problem] = interrupted) -> Problem:
        return await asyncio.to_thread(why, work, self.roots, self.packs, self._keeper.device or "cpu")

    async def _conclude(self, run: Run, job: Job) -> None:
        """Make the record of a run whole, where its worker could not."""
        try:
            for event in await asyncio.to_thread(conclude, run, job):
                run.take(event)
            self.hub.news(job.id)
        except OSError as error:
            log.warning("the record of run %s cannot be completed: %s", job.id, error)

    async def _hear(self, message: Message) -> None:
        """Something that the worker says about a job."""
        kind, current = message["type"], self._current
        if kind == "picture":
            picture = base64.b64decode(message["data"])
            if current is not None and current.job.id == message["job"]:
                with suppress(OSError):
                    await asyncio.to_thread(current.run.pictures.put, message["node"], picture)
            self.hub.picture({**message, "data": picture})
        elif kind == "event" and current is not None and current.job.id == message["event"]["run"]:
            current.run.take(message["event"])
            self.hub.news(current.job.id)
            if message["event"]["kind"] == "artifact":
                fold = current.run.fold
                job = await self.jobs.note(current.job.id, len(fold.artifacts), fold.picture())
                self.hub.broadcast({"type": "job", "job": job.to_json()})
        elif kind == "done" and current is not None and current.job.id == message["job"]:
            current.end(message)

    def _lost(self) -> None:
        """The worker has ended, and everything it said was heard."""
        if self._current is not None:
            self._current.lost()
        self._wake.set()

    async def _measure(self) -> None:
        """Tell the pages how busy the machine is, which is also how they know that the connection lives."""
        meter = Meter()
        while True:
            if len(self.hub):
                with suppress(psutil.Error, OSError):
                    self.hub.broadcast({"type": "meter", "meter": await meter.sample(self.state()["pid"])})
            await asyncio.sleep(METER_SECONDS)

    def _tell_worker(self) -> None:
        self.hub.broadcast({"type": "worker", "worker": self.state()})

    async def _tell_queue(self) -> None:
        self.hub.broadcast({"type": "queue", "jobs": [job.to_json() for job in await self.jobs.queue()]})

    async def _greeting(self) -> list[Message]:
        state = self.state()
        return [
            {"type": "hello", "version": __version__, "worker": state},
            {"type": "worker", "worker": state},
            {"type": "queue", "jobs": [job.to_json() for job in await self.jobs.queue()]},
        ]
