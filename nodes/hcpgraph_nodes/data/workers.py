"""Batches read ahead by worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset, Sampler

from hcpgraph.errors import GraphError


class Failure(NamedTuple):
    """A GraphError on its way from a worker: exceptions of several arguments do not survive the pipe."""

    code: str
    message: str
    hint: str | None


class Stream:
    """Reads steps s, s + 1, … ahead in worker processes, which ignore SIGINT and end with their parent.

    Args:
        read: step -> batch; picklable where processes are spawned.
        workers: Number of processes, ≥ 1.
        prefetch: Batches that each of them reads ahead.
        pin: Whether batches land in page-locked memory.
    """

    def __init__(self, read: Callable[[int], Any], workers: int, prefetch: int, pin: bool) -> None:
        self._reads = _Reads(read)
        self._options = {"num_workers": workers, "prefetch_factor": prefetch, "pin_memory": pin}
        self._steps = _Steps()
        self._loader: DataLoader[Any] | None = None
        self._iterator: Iterator[Any] | None = None
        self._next = -1

    def take(self, step: int) -> Any:
        """The batch of a step; if it is not the one after the last, the workers start over from it.

        Raises:
            GraphError: what the worker raised.
        """
        try:
            if self._iterator is None or step != self._next:
                self._start(step)
            assert self._iterator is not None
            batch = next(self._iterator)
        except BaseException:
            self.close()
            raise
        self._next = step + 1
        if isinstance(batch, Failure):
            self.close()
            raise GraphError(batch.code, batch.message, hint=batch.hint)
        return batch

    def close(self) -> None:
        """End the workers; the next batch starts new ones."""
        self._iterator = self._loader = None
        self._next = -1

    def _start(self, step: int) -> None:
        self._steps.start = step
        if self._loader is None:
            self._loader = DataLoader(
                self._reads,
                batch_size=None,
                collate_fn=_as_it_is,
                sampler=self._steps,
                persistent_workers=True,
                worker_init_fn=_ignore_sigint,
                **self._options,
            )
        with _sigint_held_back():
            self._iterator = iter(self._loader)


class _Steps(Sampler[int]):
    def __init__(self) -> None:
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        return count(self.start)


class _Reads(Dataset[Any]):
    def __init__(self, read: Callable[[int], Any]) -> None:
        self.read = read

    def __getitem__(self, step: int) -> Any:
        try:
            return self.read(step)
        except GraphError as error:
            return Failure(error.problem.code, error.problem.message, error.problem.hint)


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Processes that start in here do not see SIGINT before they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_sigint(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
