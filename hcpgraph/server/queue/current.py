"""The job that runs now: given to the worker, stopped, and accounted for when its worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...checking.analyse import analyse
from ...declaring.registry import default_registry
from ...document import loads
from ...errors import GraphErrors, Problem
from ...fingerprint import Fingerprints
from ...paths import Roots
from ...planning.begun import planned
from ...processes.commands import how_it_ended
from ...running.forecast import plan_rows
from .history import conclude_record
from .job import Job, Status, Work
from .process import Process
from .runs import Run

CANCEL_SECONDS = 15.0
"""How long a run may take to stop when it is asked to; then its process is ended."""


KILLED = -9
"""Return code of a process that somebody killed: on Linux, often the kernel for want of memory."""


class Running:
    """A job in the hands of a worker.

    Attributes:
        told_end: Whether the worker said how it ended; otherwise it died over it.
        status, problem: What it said.
        replace: Whether the worker is to be replaced after this job.
    """

    def __init__(self, work: Work, worker: Process, run: Run) -> None:
        self.work = work
        self.job = work.job
        self.worker = worker
        self.run = run
        self.told_end = False
        self.status: Status = "failed"
        self.problem: Problem | None = None
        self.replace = False
        self._given = False
        self._cancelled = False
        self._killed: Problem | None = None
        self._ended = asyncio.Event()

    async def go(self) -> None:
        """Have it run; returns when the worker has said how it ended, or is dead."""
        work = self.work
        self.worker.say(
            {
                "do": "run",
                "job": self.job.id,
                "graph": work.graph,
                "targets": work.targets,
                "force": work.force,
                "allow_write": work.allow_write,
                "resume": work.resume,
            }
        )
        self._given = True
        if self._cancelled:
            self.worker.say({"do": "cancel", "job": self.job.id})
        await self._ended.wait()

    def cancel(self) -> None:
        """Ask it to stop, and end its process if it does not; asking again changes nothing."""
        if self._cancelled or self._ended.is_set():
            return
        self._cancelled = True
        if self._given:
            self.worker.say({"do": "cancel", "job": self.job.id})
        asyncio.get_running_loop().call_later(CANCEL_SECONDS, self._insist)

    @property
    def unasked(self) -> bool:
        """Whether it was stopped, and not by anybody here."""
        return self.told_end and self.status == "cancelled" and not self._cancelled

    def request(self, what: str) -> None:
        """Ask its training loop for something."""
        self.worker.say({"do": "request", "job": self.job.id, "what": what})

    def give_up(self, why: Problem) -> None:
        """End its process now, for this reason."""
        if not self._ended.is_set():
            self._killed = why
            self.worker.kill()

    def end(self, message: Mapping[str, Any]) -> None:
        """The worker says how it ended."""
        self.told_end = True
        self.status, self.replace = message["status"], message["replace"]
        self.problem = Problem(**message["problem"]) if message["problem"] else None
        self._ended.set()

    def lost(self) -> None:
        """The worker is dead."""
        self._ended.set()

    def post_mortem(self, roots: Roots, packs: Iterable[Path], device: str) -> tuple[Status, Problem]:
        """Status and reason of a job whose worker died, with all that is known."""
        if self._killed is not None:
            return "cancelled", self._killed
        if self._cancelled:
            return "cancelled", Problem("E_KILLED", "the worker ended before the run had stopped by itself")
        fold = self.run.fold
        where = ""
        if (running := fold.running()) != []:
            at = fold.nodes[running[0]]
            step = f" at {at['value']} of {at['total']}" if "value" in at else ""
            where = f" while '{running[0]}' ran{step}"
        more = "; perhaps memory ran out" if self.worker.returncode == KILLED else ""
        message = f"the worker process {how_it_ended(self.worker.returncode)}{where}{more}"
        return "failed", Problem("E_KILLED", message, hint=kept(self.work, roots, packs, device) or "run it again")

    def _insist(self) -> None:
        message = f"the run did not stop within {CANCEL_SECONDS:g} seconds, so its process was ended"
        self.give_up(Problem("E_KILLED", message))


def signalled(work: Work, roots: Roots, packs: Iterable[Path], device: str) -> Problem:
    """Why a job failed that its worker stopped because somebody asked that process to end."""
    hint = kept(work, roots, packs, device) or "run it again"
    return Problem("E_INTERRUPTED", "the worker process was asked to end while this ran", hint=hint)


def interrupted(work: Work, roots: Roots, packs: Iterable[Path], device: str) -> Problem:
    """Why a job failed that ran when its server ended."""
    hint = kept(work, roots, packs, device) or "run it again"
    return Problem("E_INTERRUPTED", "the server ended while this ran", hint=hint)


def kept(work: Work, roots: Roots, packs: Iterable[Path], device: str) -> str | None:
    """What of a job's training is on the disk; None where nothing is, or it cannot be told."""
    try:
        registry, graph = default_registry(packs), loads(work.graph)
        prepared = planned(
            analyse(graph, registry, roots.allowing(work.allow_write), targets=work.targets or None),
            roots,
            targets=work.targets or None,
            device=device,
            precision=graph.run.precision,
            seed=graph.run.seed,
            fingerprints=Fingerprints(roots.root("cache") / "fingerprints.sqlite"),
            known_only=True,
        )
        rows = plan_rows(prepared, roots, disk=True, force=frozenset())
        steps = [f"of step {row.checkpoint} of '{row.node}'" for row in rows if row.checkpoint]
    except (GraphErrors, OSError, KeyError):
        return None
    return f"the checkpoint {' and '.join(steps)} is kept: run it again to go on from there" if steps else None


def conclude(run: Run, job: Job) -> list[dict[str, Any]]:
    """Make the files of a run whole whose process died, and have them say what its job says; gives the events that
    nobody was told.

    Raises:
        OSError: the disk does not take it.
    """
    reason = Problem(**job.reason) if job.reason else Problem("E_KILLED", "the run was ended")
    if run.fold.status is not None:
        conclude_record(run.folder, job.status, reason)
        return []
    if not (run.fold.seq or run.journal.path.exists()):
        return []
    endings: list[dict[str, Any]] = []
    if job.status == "failed":
        endings += [
            {"kind": "node_failed", "node": id, "problem": reason.to_json(), "traceback": None}
            for id in run.fold.running()[:1]
        ]
    seconds = round((job.ended or job.created) - (job.started or job.created), 3)
    endings.append({"kind": "run_done", "status": job.status, "seconds": seconds})
    events = run.journal.conclude(endings)
    conclude_record(run.folder, job.status, reason)
    return events
