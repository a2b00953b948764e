"""The queue and the history: a SQLite file that outlives the server.

A job is queued, then running, then done, failed or cancelled; only this module writes a status. Who runs them is the
supervisor.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from ...errors import GraphErrors, Problem
from ...running.record import new_id
from .history import Recorded
from .job import ENDED, STATUSES, Job, Status, Work
from .tables import one, unusable, upgrade

RECENT = 20

COLUMNS = "id, status, title, graph_hash, targets, created, started, ended, reason, artifacts, picture"
POSITION = """CASE WHEN status = 'queued' THEN
  (SELECT count(*) FROM jobs AS other WHERE other.status = 'queued' AND other.place <= jobs.place) ELSE 0 END"""
"""Place in the queue, from 1: it counts the jobs before one, so that many are not asked by it."""
ONE = f"{COLUMNS}, {POSITION} AS position"
WORK = f"{ONE}, graph, force, allow_write, resume"
ORDER = "CASE status WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END, place, created DESC, id DESC"


class Jobs:
    """The queue and the history of one workspace.

    Args:
        path: The database; made when it is missing. Only one server uses it at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Open the database.

        Raises:
            GraphErrors: E_DATABASE, it is in use by another server, damaged, or of a newer version.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = await aiosqlite.connect(self.path, isolation_level=None, timeout=2.0)
            self._connection.row_factory = sqlite3.Row
            await self._connection.executescript(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            )
            async with self._writing() as db:
                await upgrade(db, self.path)
        except (sqlite3.Error, OSError) as error:
            await self.stop()
            raise unusable(self.path, error) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the database."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def add(
        self,
        graph: str,
        graph_hash: str,
        *,
        title: str = "",
        targets: Sequence[str] = (),
        force: Sequence[str] = (),
        allow_write: Sequence[str] = (),
        resume: bool = False,
        front: bool = False,
    ) -> Job:
        """Put a graph, as canonical text, at the end of the queue, or before all others."""
        async with self._writing() as db:
            id = new_id()
            while await one(db, "SELECT 1 FROM jobs WHERE id = ?", (id,)) is not None:
                id = new_id()
            row = await one(db, "SELECT min(place), max(place) FROM jobs WHERE status = 'queued'")
            assert row is not None
            place = (row[0] or 0) - 1 if front else (row[1] or 0) + 1
            await db.execute(
                "INSERT INTO jobs "
                "(id, status, title, graph, graph_hash, targets, force, allow_write, resume, place, created) "
                "VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(id, title, graph, graph_hash),
                    *(json.dumps(list(names)) for names in (targets, force, allow_write)),
                    *(resume, place, time.time()),
                ),
            )
        return await self.get(id)

    async def get(self, id: str) -> Job:
        """A job.

        Raises:
            GraphErrors: E_NOT_FOUND.
        """
        row = await one(self._db, f"SELECT {ONE} FROM jobs WHERE id = ? AND NOT hidden", (id,))
        if row is None:
            raise GraphErrors.one("E_NOT_FOUND", f"there is no job '{id}'")
        return _job(row, row["position"])

    async def graph(self, id: str) -> str | None:
        """The graph that was sent; None for a run that was not made here.

        Raises:
            GraphErrors: E_NOT_FOUND.
        """
        row = await one(self._db, "SELECT graph FROM jobs WHERE id = ? AND NOT hidden", (id,))
        if row is None:
            raise GraphErrors.one("E_NOT_FOUND", f"there is no job '{id}'")
        text: str | None = row[0]
        return text

    async def find(
        self, statuses: Iterable[str] = STATUSES, *, limit: int = 50, before: float | None = None
    ) -> list[Job]:
        """What runs, then the queue in its order, then what has ended, newest first.

        Args:
            statuses: Which jobs.
            limit: How many.
            before: Only jobs made before this time: the next page of a long history.
        """
        wanted = [status for status in STATUSES if status in set(statuses)]
        marks = ", ".join("?" for _ in wanted)
        where, values = f"status IN ({marks}) AND NOT hidden", [*wanted]
        more: list[Any] = [limit]
        if before is not None:
            where, more = f"{where} AND created < ?", [before, limit]
        rows = await self._db.execute_fetchall(
            f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY {ORDER} LIMIT ?", (*values, *more)
        )
        order = await self._order() if "queued" in wanted else []
        places = {id: place for place, id in enumerate(order, 1)}
        return [_job(row, places.get(row["id"], 0)) for row in rows]

    async def queue(self) -> list[Job]:
        """Everything queued or running, and the last of what has ended: what a page shows at first."""
        open_ = await self.find(("queued", "running"), limit=-1)
        return [*open_, *await self.find(ENDED, limit=RECENT)]

    async def claim(self) -> Work | None:
        """Take the first of the queue to run it; None when the queue is empty."""
        async with self._writing() as db:
            row = await one(db, "SELECT id FROM jobs WHERE status = 'queued' ORDER BY place LIMIT 1")
            if row is None:
                return None
            await db.execute(
                "UPDATE jobs SET status = 'running', place = NULL, started = ? WHERE id = ?", (time.time(), row["id"])
            )
            row = await one(db, f"SELECT {WORK} FROM jobs WHERE id = ?", (row["id"],))
            assert row is not None
        return _work(row)

    async def put_back(self, id: str) -> None:
        """Undo a claim: the job is the first of the queue again."""
        async with self._writing() as db:
            await db.execute(
                "UPDATE jobs SET status = 'queued', started = NULL, "
                "place = (SELECT coalesce(min(place), 1) - 1 FROM jobs WHERE status = 'queued') WHERE id = ?",
                (id,),
            )

    async def note(self, id: str, artifacts: int, picture: str | None) -> Job:
        """What a running job has written so far."""
        async with self._writing() as db:
            await db.execute("UPDATE jobs SET artifacts = ?, picture = ? WHERE id = ?", (artifacts, picture, id))
        return await self.get(id)

    async def finish(self, id: str, status: Status, reason: Problem | None = None) -> bool:
        """End a running job; False, and no change, if it does not run."""
        async with self._writing() as db:
            done = await db.execute(
                "UPDATE jobs SET status = ?, ended = ?, reason = ? WHERE id = ? AND status = 'running'",
                (status, time.time(), json.dumps(reason.to_json()) if reason else None, id),
            )
            return done.rowcount > 0

    async def correct(self, id: str, status: Status) -> None:
        """Say of an ended job how it really ended."""
        async with self._writing() as db:
            await db.execute("UPDATE jobs SET status = ?, reason = NULL WHERE id = ?", (status, id))

    async def cancel_queued(self, id: str) -> bool:
        """Take a job out of the queue; False, and no change, if it is not in it."""
        async with self._writing() as db:
            done = await db.execute(
                "UPDATE jobs SET status = 'cancelled', place = NULL, ended = ? WHERE id = ? AND status = 'queued'",
                (time.time(), id),
            )
            return done.rowcount > 0

    async def move(self, id: str, before: str | None) -> None:
        """Put a queued job before another one, or at the end. One that has left the queue meanwhile was its front.

        Raises:
            GraphErrors: E_NOT_FOUND, E_CONFLICT when the job is no longer queued.
        """
        job = await self.get(id)
        if before is not None:
            await self.get(before)
        async with self._writing() as db:
            order = await self._order()
            if id not in order:
                hint = "only what is queued can be moved"
                raise GraphErrors.one("E_CONFLICT", f"'{job.title or id}' is not in the queue any more", hint=hint)
            if before == id:
                return
            order.remove(id)
            order.insert(len(order) if before is None else order.index(before) if before in order else 0, id)
            await db.executemany("UPDATE jobs SET place = ? WHERE id = ?", list(enumerate(order)))

    async def forget(self, id: str) -> None:
        """Remove an ended job from the history; its folder and files stay.

        Raises:
            GraphErrors: E_NOT_FOUND, E_CONFLICT when it is queued or runs.
        """
        job = await self.get(id)
        async with self._writing() as db:
            done = await db.execute(
                f"UPDATE jobs SET hidden = 1, graph = NULL WHERE id = ? AND status IN {ENDED}", (id,)
            )
        if done.rowcount == 0:
            raise GraphErrors.one("E_CONFLICT", f"'{job.title or id}' is {job.status}", hint="cancel it first")

    async def running(self) -> list[Work]:
        """Jobs that are marked as running: at the start of a server, those that the last one left."""
        rows = await self._db.execute_fetchall(f"SELECT {WORK} FROM jobs WHERE status = 'running'")
        return [_work(row) for row in rows]

    async def known(self) -> set[str]:
        """Ids of all jobs, deleted ones too."""
        return {row["id"] for row in await self._db.execute_fetchall("SELECT id FROM jobs")}

    async def record(self, runs: Iterable[Recorded]) -> None:
        """Take runs that were not made here into the history."""
        async with self._writing() as db:
            await db.executemany(
                "INSERT OR IGNORE INTO jobs "
                "(id, status, title, graph_hash, targets, created, started, ended, reason, artifacts, picture) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(run.id, run.status, run.title, run.graph_hash, json.dumps(run.targets)),
                        *(run.started, run.started, run.ended),
                        *(json.dumps(run.reason.to_json()) if run.reason else None, run.artifacts, run.picture),
                    )
                    for run in runs
                ],
            )

    async def remember(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Keep a small fact for the next server."""
        async with self._writing() as db:
            await db.execute("DELETE FROM notes WHERE name = ?", (name,))
            if value is not None:
                await db.execute("INSERT INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    async def remembered(self, name: str) -> dict[str, Any] | None:
        """What `remember` kept."""
        row = await one(self._db, "SELECT value FROM notes WHERE name = ?", (name,))
        return None if row is None else dict(json.loads(row[0]))

    async def _order(self) -> list[str]:
        """Ids of the queued jobs, in their order."""
        rows = await self._db.execute_fetchall("SELECT id FROM jobs WHERE status = 'queued' ORDER BY place")
        return [row["id"] for row in rows]

    @property
    def _db(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise GraphErrors.one("E_BUSY", "the server is stopping")
        return self._connection

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[aiosqlite.Connection]:
        """One change at a time, whole or not at all; also when the request that asked for it goes away."""
        async with self._lock:
            db = self._db
            try:
                await db.execute("BEGIN IMMEDIATE")
                yield db
            except BaseException:
                await db.rollback()
                raise
            await db.commit()


def _work(row: sqlite3.Row) -> Work:
    targets, force, allow_write = (json.loads(row[name]) for name in ("targets", "force", "allow_write"))
    return Work(_job(row, row["position"]), row["graph"], targets, force, allow_write, bool(row["resume"]))


def _job(row: sqlite3.Row, position: int) -> Job:
    return Job(
        id=row["id"],
        status=row["status"],
        title=row["title"],
        graph_hash=row["graph_hash"],
        targets=json.loads(row["targets"]),
        position=position,
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        reason=json.loads(row["reason"]) if row["reason"] else None,
        artifacts=row["artifacts"],
        picture=row["picture"],
    )
