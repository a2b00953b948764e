"""The worker process as the server sees it: started, spoken with in JSON lines, ended with everything it started."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ...processes import commands

if TYPE_CHECKING:
    from ...processes.commands import Child

Message = dict[str, Any]
OnMessage = Callable[[Message], Awaitable[None]]

LINE_BYTES = 64 << 20
LOGS_KEPT = 10
WATCH_SECONDS = 0.2
POLITE = 200
"""Messages after which other tasks get a turn."""


class Process:
    """One worker process.

    Args:
        settings: What it is told first: workspace, roots, packs.
        on_message: Called with everything it says, in order.
        on_exit: Called once, after its last message.
        logs: Folder for what it prints.

    Attributes:
        started: When it was started, on the monotonic clock.
    """

    def __init__(
        self, settings: Mapping[str, Any], on_message: OnMessage, on_exit: Callable[[], Awaitable[None]], logs: Path
    ) -> None:
        self.started = time.monotonic()
        self.log = logs / f"worker-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        self._settings = settings
        self._on_message = on_message
        self._on_exit = on_exit
        self._process: Child | None = None
        self._reader: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it; it says `ready` when it is.

        Raises:
            OSError: it cannot be started.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        old = sorted(self.log.parent.glob("worker-*.log"))
        for path in old[: max(0, len(old) - LOGS_KEPT + 1)]:
            with suppress(OSError):
                path.unlink()
        with self.log.open("ab") as log:
            self._process = await commands.start(
                "-m", "hcpgraph.server.queue.worker", stderr=log, line_bytes=LINE_BYTES
            )
        self.say(dict(self._settings))
        self._reader = asyncio.create_task(self._read())
        self._watch = asyncio.create_task(self._end_family())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode if self._process else None

    def say(self, message: Message) -> None:
        """Tell it something; one that is gone does not hear it."""
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError, RuntimeError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def let_go(self) -> None:
        """Close its ears: it stops what it does, keeps a checkpoint, and ends."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """End it now, and the processes it started, such as the workers of a data loader."""
        if self._process is not None:
            commands.end(self._process)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended and its last message was heard; False when it takes longer."""
        if self._reader is None:
            return True
        done, _ = await asyncio.wait({self._reader}, timeout=seconds)
        return bool(done)

    def last_words(self) -> str | None:
        """The last line that it printed: of a traceback, the error."""
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1].strip()[:500] if lines else None
        return None

    async def _read(self) -> None:
        process = self._process
        assert process is not None and process.stdout is not None
        count = 0
        with suppress(OSError, ValueError):
            while line := await process.stdout.readline():
                await self._on_message(json.loads(line))
                count += 1
                if count % POLITE == 0:
                    await asyncio.sleep(0)
        self.kill()
        await process.wait()
        await self._on_exit()

    async def _end_family(self) -> None:
        """When it has died, end what it started: forked children would hold its pipe open as if it still spoke."""
        while self.returncode is None:
            await asyncio.sleep(WATCH_SECONDS)
        self.kill()


def identity(pid: int) -> dict[str, Any]:
    """What names a process also after its number was given to another one."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid, "created": 0.0}


async def gone(known: Mapping[str, Any], seconds: float) -> None:
    """Wait until a process that an earlier server left has ended; one that takes longer is killed."""
    await asyncio.to_thread(_outlast, int(known["pid"]), float(known["created"]), seconds)


def _outlast(pid: int, created: float, seconds: float) -> None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > 0.01:
            return
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            for member in (*process.children(recursive=True), process):
                with suppress(psutil.Error):
                    member.kill()
            process.wait(seconds)
