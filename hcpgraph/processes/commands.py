"""Processes that run a program: in a session of their own, spoken with over pipes, ended with all they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncio.subprocess

    Child: TypeAlias = asyncio.subprocess.Process

LINE_BYTES = 1 << 16
CHUNK = 1 << 16
LEFT = 1
"""Exit code of a process whose parent is gone."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it said on stdout and on stderr."""

    code: int
    out: bytes
    said: bytes


def environment() -> dict[str, str]:
    """What a process of this Python is told: the import path of this one, and not the folder that it is started in."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


async def start(*arguments: str, stderr: IO[bytes] | bool = False, line_bytes: int = LINE_BYTES) -> Child:
    """Start this Python with these arguments; its stdin and stdout are pipes.

    Args:
        stderr: A file for what it says there; True for a pipe, False for the stderr of this process.
        line_bytes: The longest line that `readline` gives.

    Raises:
        OSError: it cannot be started.
    """
    import asyncio

    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is True else stderr or None,
        limit=line_bytes,
        env=environment(),
        **_apart(),
    )


def run(*arguments: str) -> Done:
    """Run this Python with these arguments to its end; `end_with_stdin` ends it with this process."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment(),
            **_apart(),
        )
        with child:
            try:
                assert child.stdout is not None
                out, code = child.stdout.read(), child.wait()
            except BaseException:
                end(child)
                raise
        said.seek(0)
        return Done(code, out, said.read())


async def ask(*command: str, seconds: float) -> bytes | None:
    """What a program says on stdout; None where it cannot be started, fails, or takes longer than this."""
    import asyncio

    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **_apart()
        )
    except OSError:
        return None
    try:
        out, _ = await asyncio.wait_for(child.communicate(), seconds)
        return out if child.returncode == 0 else None
    except TimeoutError:
        return None
    finally:
        if child.returncode is None:
            end(child)
            await child.wait()


def end(child: Child | subprocess.Popen[bytes]) -> None:
    """End it now, with all it started that did not leave its group; whoever reads its pipes hears that."""
    if sys.platform != "win32":  # never Child.kill: it may reap the process under asyncio's hands
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()


def how_it_ended(returncode: int | None) -> str:
    """An exit code in words."""
    if returncode is None:
        return "ended"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = "unknown"
    return f"was killed by signal {-returncode} ({name})"


def chunks(fd: int = 0) -> Iterator[bytes]:
    """What comes in on a pipe, as it comes.

    Unbuffered: a thread that sits in a read of `sys.stdin.buffer` holds its lock, and a child that is forked meanwhile
    waits for that lock for ever.
    """
    with suppress(OSError):
        while chunk := os.read(fd, CHUNK):
            yield chunk


def lines(fd: int = 0) -> Iterator[bytes]:
    """The lines that come in on a pipe; one that was begun when it closed is left out."""
    parts: list[bytes] = []
    for chunk in chunks(fd):
        first, *more = chunk.split(b"\n")
        parts.append(first)
        for line in more:
            yield b"".join(parts)
            parts = [line]


def end_with_stdin(code: int = LEFT) -> None:
    """End this process as soon as the other end of its stdin is closed: by who started it, or by their death."""

    def watch() -> None:
        for _ in chunks():
            pass
        os._exit(code)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def limit_memory(size: int) -> None:
    """Let this process have no more than so many bytes: what asks for more gets a MemoryError.

    The kernel holds to it on Linux and the BSDs. macOS knows the limit and does not enforce it, Windows has none for a
    process that sets it itself: there only the limits of time hold.
    """
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _apart() -> dict[str, Any]:
    """A session of its own, which the Ctrl-C of a terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
