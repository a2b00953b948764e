"""Keeps one worker process there: starts it, replaces it, and says how it is."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...declaring.pack import from_folder, installed
from ...errors import GraphErrors, Problem
from ...paths import Roots
from ...processes.commands import how_it_ended
from .process import Message, Process

START_SECONDS = 300.0
END_SECONDS = 20.0
ANSWER_SECONDS = 180.0
TRIES = 3
"""Workers in a row that may die young, without having been given a job, before no more are started."""
YOUNG_SECONDS = 60.0


class Keeper:
    """The worker process of a server.

    Args:
        roots, packs: Of the workspace.
        warm: Whether an idle worker imports what runs will need.
        on_message: Called with what it says about jobs, in order.
        on_lost: Called when it has ended, after its last message.
        on_state: Called when its state has changed.

    Attributes:
        worker: The process, from its start to its end.
        device: What its runs use; None before the first worker has said it.
    """

    def __init__(
        self,
        roots: Roots,
        packs: Iterable[Path],
        *,
        warm: bool,
        on_message: Callable[[Message], Awaitable[None]],
        on_lost: Callable[[], None],
        on_state: Callable[[], None],
    ) -> None:
        self.worker: Process | None = None
        self.device: str | None = None
        self._roots = roots
        self._packs = tuple(packs)
        self._warm = warm
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_state = on_state
        self._state = "starting"
        self._problem: Problem | None = None
        self._ready = asyncio.Event()
        self._stamp: tuple[str, ...] = ()
        self._failures = 0
        self._closed = False
        self._questions: dict[int, asyncio.Future[Message]] = {}
        self._numbers = itertools.count(1)

    def state(self) -> dict[str, Any]:
        """The schema's WorkerState."""
        return {
            "state": self._state,
            "device": self.device,
            "pid": self.worker.pid if self.worker is not None and self.worker.returncode is None else None,
            "problem": self._problem.to_json() if self._problem else None,
        }

    def busy(self, busy: bool) -> None:
        """Say whether it has a job. One that was given a job was no failure, whatever became of it."""
        self._failures = 0
        self._become("busy" if busy else "idle")

    async def have(self, on_start: Callable[[Process], Awaitable[None]]) -> Process | None:
        """A worker that is ready and knows the packs as they are now; None when there is none for the time being.

        Args:
            on_start: Called with a new process.
        """
        stamp = await asyncio.to_thread(_stamp, self._packs)
        if self.worker is not None and stamp != self._stamp:
            await self.end()
        if stamp != self._stamp:
            self._failures = 0
        while self.worker is None and self._failures < TRIES and not self._closed:
            self._stamp = stamp
            await self._start(on_start)
        return None if self._closed else self.worker

    async def end(self) -> None:
        """End it; the next `have` starts another one."""
        if self.worker is not None:
            worker = self.worker
            self._failures = 0
            self._become("restarting")
            worker.let_go()
            if not await worker.wait(END_SECONDS):
                worker.kill()
                await worker.wait()

    def restart(self) -> None:
        """Kill it, also when it was given up; the next `have` starts another one."""
        self._failures = 0
        self._problem = None
        if self.worker is not None:
            self.worker.kill()
        self._become("restarting")

    def revive(self) -> None:
        """Try again after giving up."""
        if self._state == "dead":
            self._failures = 0

    async def close(self, seconds: float) -> bool:
        """Let it go for good; False when it still stops its run after this time: it ends by itself."""
        self._closed = True
        if self.worker is None:
            return True
        self.worker.let_go()
        return await self.worker.wait(seconds)

    async def ask(self, question: Mapping[str, Any]) -> Message:
        """Ask it something and wait for the reply.

        Raises:
            GraphErrors: E_WORKER, there is no worker, it died over the question, or it does not answer; or the problem
                that it answers with.
        """
        if self._state == "dead":
            raise GraphErrors([self._problem or Problem("E_WORKER", "there is no worker")])
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ready.wait()
                if self.worker is not None:
                    self.worker.say({**question, "id": number})
                reply: Message = await answer
                return reply
        except TimeoutError:
            raise GraphErrors.one("E_WORKER", "the worker does not answer", hint="try again in a moment") from None
        finally:
            del self._questions[number]

    async def _start(self, on_start: Callable[[Process], Awaitable[None]]) -> None:
        self._failures += 1
        self._ready.clear()
        if self._state != "starting":
            self._become("restarting")
        settings = {
            "workspace": str(self._roots.workspace),
            "roots": {name: str(path) for name, path in self._roots.overrides.items()},
            "allow_write": sorted(self._roots.writable),
            "packs": [str(pack) for pack in self._packs],
            "warm": self._warm,
        }
        worker = Process(settings, self._hear, self._ended, self._roots.root("cache") / "logs")
        try:
            await worker.start()
        except OSError as error:
            self._give_up(Problem("E_WORKER", f"the worker cannot be started: {error}"))
            return
        self.worker = worker
        await on_start(worker)
        waiting = [asyncio.create_task(self._ready.wait()), asyncio.create_task(worker.wait())]
        await asyncio.wait(waiting, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if not self._ready.is_set():
            worker.kill()
            await worker.wait()
        if self.worker is None and self._failures >= TRIES and not self._closed:
            words = worker.last_words()
            message = f"the worker {how_it_ended(worker.returncode)} before it was of use"
            self._give_up(Problem("E_WORKER", f"{message}: {words}" if words else message, hint=f"see {worker.log}"))

    def _give_up(self, problem: Problem) -> None:
        self._failures = TRIES
        self._problem = problem
        self._become("dead")
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(GraphErrors([problem]))

    async def _hear(self, message: Message) -> None:
        if message["type"] == "ready":
            self.device, self._problem = message["device"], None
            self._ready.set()
            self._become("idle")
        elif message["type"] == "answer":
            answer = self._questions.get(message["id"])
            if answer is not None and not answer.done():
                if message["problem"] is None:
                    answer.set_result(message["reply"])
                else:
                    answer.set_exception(GraphErrors([Problem(**message["problem"])]))
        else:
            await self._on_message(message)

    async def _ended(self) -> None:
        worker, self.worker = self.worker, None
        self._ready.clear()
        if worker is not None and time.monotonic() - worker.started > YOUNG_SECONDS:
            self._failures = 0
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(GraphErrors.one("E_WORKER", "the worker ended over this", hint="try again"))
        self._become("restarting")
        self._on_lost()

    def _become(self, state: str) -> None:
        self._state = state
        self._on_state()


def _stamp(packs: tuple[Path, ...]) -> tuple[str, ...]:
    """Changes when a file of a pack does."""
    return tuple(pack.stamp() for pack in (*installed(), *(from_folder(folder) for folder in packs)))
