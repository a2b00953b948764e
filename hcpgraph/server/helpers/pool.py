"""Helper processes for work that holds the interpreter: reading graphs, checking, planning, making thumbnails.

The event loop of the server stays free while ten thousand nodes are checked, and a hostile file that exhausts memory
or time takes a helper with it, not the server. A call is a function of a module and its arguments; a helper is
ended when it does not answer in time, and the next call gets a fresh one.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import signal
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ...errors import Failure, GraphErrors, Problem
from ...processes import commands

if TYPE_CHECKING:
    from ...processes.commands import Child

P = ParamSpec("P")
T = TypeVar("T")

SIZE = 2
SECONDS = 120.0
MEMORY = 4 << 30
"""Bytes that a helper may have: far more than the largest graph or picture that is let in takes."""
_LENGTH = struct.Struct("<Q")
_DONE, _PROBLEMS, _BUG = 0, 1, 2


class HelperBug(Exception):
    """A call raised something that is no `GraphErrors`; the text is its traceback."""


class _Lost(Exception):
    """A helper ended before it answered."""


class Pool:
    """A few helpers, started when they are needed and kept warm.

    Args:
        size: How many calls run side by side.
        seconds: How long a call may take.
    """

    def __init__(self, size: int = SIZE, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Helper] = []
        self._all: set[_Helper] = set()
        self._closed = False

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a function that lives at the top of a module; arguments and result must be picklable.

        Raises:
            GraphErrors: what the function found wrong; E_BUSY when it took too long, or its helper died twice.
            HelperBug: the function raised anything else.
        """
        data = pickle.dumps((function, args, kwargs))
        async with self._free:
            for _ in range(2):
                helper = self._idle.pop() if self._idle else await self._start()
                try:
                    kind, value = await asyncio.wait_for(helper.ask(data), self._seconds)
                except TimeoutError:
                    await self._end(helper)
                    message = f"this took more than {self._seconds:g} seconds and was given up"
                    raise GraphErrors.one("E_BUSY", message, hint="try a smaller graph or file") from None
                except _Lost:
                    await self._end(helper)
                    continue
                except BaseException:
                    await self._end(helper)
                    raise
                self._idle.append(helper)
                if kind == _PROBLEMS:
                    raise GraphErrors(value)
                if kind == _BUG:
                    raise HelperBug(value)
                result: T = value
                return result
        raise GraphErrors.one("E_BUSY", "the process that looked at this ended, perhaps for want of memory")

    async def warm(self) -> None:
        """Have one helper ready that has read the node types."""
        with suppress(GraphErrors, HelperBug, OSError):
            await self.run(_warm)

    async def close(self) -> None:
        """End all helpers; calls under way fail."""
        self._closed = True
        for helper in list(self._all):
            await self._end(helper)

    async def _start(self) -> _Helper:
        if self._closed:
            raise GraphErrors.one("E_BUSY", "the server is stopping")
        helper = _Helper(
            # with -m this module would be there twice, for the package imports it
            await commands.start("-c", f"from {__name__} import main; main()")
        )
        self._all.add(helper)
        return helper

    async def _end(self, helper: _Helper) -> None:
        self._all.discard(helper)
        if helper in self._idle:
            self._idle.remove(helper)
        await helper.end()


class _Helper:
    def __init__(self, process: Child) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._in, self._out = process.stdin, process.stdout

    async def ask(self, data: bytes) -> tuple[int, Any]:
        try:
            self._in.write(_LENGTH.pack(len(data)) + data)
            await self._in.drain()
            (size,) = _LENGTH.unpack(await self._out.readexactly(_LENGTH.size))
            answer: tuple[int, Any] = pickle.loads(await self._out.readexactly(size))
            return answer
        except (OSError, asyncio.IncompleteReadError) as error:
            raise _Lost from error

    async def end(self) -> None:
        commands.end(self._process)
        await self._process.wait()


def _warm() -> None:
    from ...declaring.registry import default_registry

    default_registry()


def _answer(data: bytes) -> tuple[int, Any]:
    try:
        function, args, kwargs = pickle.loads(data)
        return _DONE, function(*args, **kwargs)
    except Failure as failure:
        return _PROBLEMS, failure.problems
    except MemoryError:
        return _PROBLEMS, [Problem("E_TOO_LARGE", "there is not enough memory to look at this")]
    except Exception:
        import traceback

        return _BUG, traceback.format_exc()


def _calls(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The calls that come in, each after its length."""
    came = bytearray()
    for chunk in chunks:
        came += chunk
        while len(came) >= _LENGTH.size and len(came) >= (end := _LENGTH.size + _LENGTH.unpack_from(came)[0]):
            yield bytes(came[_LENGTH.size : end])
            del came[:end]


def main() -> None:
    """Answer calls on stdin until it is closed: by the server, or by its death, also in the middle of a call."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands.limit_memory(MEMORY)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a pack prints must not end up between the answers
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for call in _calls(commands.chunks()):
                calls.put(call)
        finally:
            os._exit(0)

    threading.Thread(target=listen, name="ears", daemon=True).start()
    while True:
        data = pickle.dumps(_answer(calls.get()))
        answers.write(_LENGTH.pack(len(data)) + data)
        answers.flush()


if __name__ == "__main__":
    main()
