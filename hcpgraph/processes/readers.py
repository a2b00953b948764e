"""Processes that read ahead beside a training: a context of multiprocessing for torch's DataLoader.

They are forked from one small process that has imported what they need (`forkserver`), so that a second loader starts
at once; where there is none (Windows) each starts anew (`spawn`). Two things differ from multiprocessing's own:

- `__main__` is not imported again. Multiprocessing does that so that its classes can be unpickled, at the price of
  running a script anew that has no `if __name__ == "__main__"`, and of failing in some notebooks. Here it is out of
  sight while a process is described, and what is sent is a `Parcel`, which refuses classes of `__main__`.
- Ctrl-C is for the parent alone. SIGINT is blocked in the forkserver from its first instruction on, and with it in all
  that it forks; `follow_parent` does the rest on Windows. It also ends a process whose parent is gone, which the watch
  of DataLoader cannot see: it asks for the parent's id, and that is the forkserver's.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import context
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any

from .commands import LEFT, environment


def follow_parent() -> None:
    """What a reader does first: leave Ctrl-C to its parent, and end with it.

    It also takes what it was forked with out of the collector's sight: to look at all of that is most of the time until
    its first batch, and two thirds of its memory, since pages that are looked at are copied.
    """
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(LEFT)

    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the script or notebook that this process runs."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _told(variables: dict[str, str]) -> Iterator[None]:
    """Start processes in here with these variables: multiprocessing takes none for them."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


if sys.platform == "win32":

    class _Process(context.SpawnProcess):
        @staticmethod
        def _Popen(process_obj: Any) -> Any:
            with _without_main(), _told(environment()):
                return context.SpawnProcess._Popen(process_obj)

    _Context = context.SpawnContext

    def get_ready(modules: Iterable[str]) -> None:
        """Each reader starts anew here: there is nothing to get ready."""

else:
    import io
    from multiprocessing import forkserver, popen_forkserver, reduction, resource_tracker, spawn, util

    QUIET = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]))
    """That it cleans up after a process that was killed is no news."""

    class _Server(forkserver.ForkServer):
        _forkserver_pid: int | None
        _owner = os.getpid()

        def ensure_running(self) -> None:
            with _told({"PYTHONWARNINGS": QUIET}):
                resource_tracker.ensure_running()  # which unblocks SIGINT when it has started
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                with _told(environment()):
                    super().ensure_running()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        def end(self) -> None:
            """End it at once: one that has imported torch takes its time, and holds the pipes of its parent."""
            if self._forkserver_pid is not None and self._owner == os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(self._forkserver_pid, signal.SIGKILL)

    _server = _Server()
    atexit.register(_server.end)

    def _close(*pipes: int) -> None:
        for pipe in pipes:
            os.close(pipe)

    class _Popen(popen_forkserver.Popen):
        _fds: list[int]

        def _launch(self, process_obj: Any) -> None:
            """As multiprocessing does it, with the forkserver of this module, and without `__main__`."""
            with _without_main():
                told = spawn.get_preparation_data(process_obj.name)
            written = io.BytesIO()
            context.set_spawning_popen(self)
            try:
                reduction.dump(told, written)
                reduction.dump(process_obj, written)
            finally:
                context.set_spawning_popen(None)
            self.sentinel, pipe = _server.connect_to_new_process(self._fds)
            self.finalizer = util.Finalize(self, _close, (os.dup(pipe), self.sentinel))
            with open(pipe, "wb") as opened:
                opened.write(written.getbuffer())
            self.pid = forkserver.read_signed(self.sentinel)

    class _Process(context.ForkServerProcess):
        @staticmethod
        def _Popen(process_obj: Any) -> Any:
            return _Popen(process_obj)

    _Context = context.ForkServerContext

    def get_ready(modules: Iterable[str]) -> None:
        """Start what readers are forked from, unless it runs, and have it import these; returns at once."""
        _server.set_forkserver_preload(["torch.multiprocessing", *modules])
        _server.ensure_running()


class Readers(_Context):
    """A context of multiprocessing; what it starts is ended with `end`."""

    def __init__(self) -> None:
        super().__init__()
        self._started: list[_Process] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Process:  # type: ignore[override]  # a class, called
        process = _Process(*args, **kwargs)
        self._started.append(process)
        return process

    def died(self) -> int | None:
        """The exit code of one that has ended, not 0 if there is such a one; None while all run."""
        return max((code for process in self._started if (code := process.exitcode) is not None), key=abs, default=None)

    def end(self) -> None:
        """End all of them now."""
        for process in self._started:
            if process.is_alive():
                process.kill()
                process.join()
        self._started.clear()
