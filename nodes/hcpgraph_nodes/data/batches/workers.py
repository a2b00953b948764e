"""Batches read ahead by worker processes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from hcpgraph.errors import GraphError
from hcpgraph.processes.commands import how_it_ended
from hcpgraph.processes.parcel import Parcel, pack, unpack
from hcpgraph.processes.readers import Readers, follow_parent, get_ready

HINT = "where memory ran out: fewer workers, or a smaller prefetch; with workers 0 there are none"


class Failure(NamedTuple):
    """A GraphError on its way from a worker: exceptions of several arguments do not survive the pipe."""

    code: str
    message: str
    hint: str | None


class Stream:
    """Reads steps s, s + 1, … ahead in worker processes, which ignore SIGINT and end with their parent.

    They are made ready when this is made, start with the first batch, and end with the owner. Nothing here draws from a
    global generator.

    Args:
        owner: When it is collected the workers end. They must not be part of a cycle with it: the collector would close
            their pipes first, and DataLoader wait in vain for their end.
        read: step -> batch; goes to the workers pickled.
        workers: Number of processes, ≥ 1.
        prefetch: Batches that each of them reads ahead.
        pin: Whether batches land in page-locked memory.

    Raises:
        GraphError: E_PICKLE, something that `read` needs cannot go to another process.
    """

    def __init__(self, owner: object, read: Callable[[int], Any], workers: int, prefetch: int, pin: bool) -> None:
        parcel = pack(read)
        get_ready([__name__, *parcel.modules])
        self._reads = _Reads(parcel)
        self._workers, self._prefetch, self._pin = workers, prefetch, pin
        self._steps = _Steps()
        self._readers = Readers()
        self._loader: DataLoader[Any] | None = None
        self._iterator: Iterator[Any] | None = None
        self._next = -1
        weakref.finalize(owner, self.close)

    def take(self, step: int) -> Any:
        """The batch of a step; if it is not the one after the last, the workers start over from it.

        Raises:
            GraphError: what the worker raised; E_WORKER, one died or could not be started.
        """
        try:
            if self._iterator is None or step != self._next:
                self._start(step)
            assert self._iterator is not None
            batch = next(self._iterator)
        except BaseException as error:
            died = self._readers.died() if isinstance(error, RuntimeError | OSError | EOFError) else None
            self.close()
            if died is None:
                raise
            message = f"a process that reads pictures ahead {how_it_ended(died)}"
            raise GraphError("E_WORKER", message, hint=HINT) from error
        self._next = step + 1
        if isinstance(batch, Failure):
            self.close()
            raise GraphError(batch.code, batch.message, hint=batch.hint)
        return batch

    def close(self) -> None:
        """End the workers; the next batch starts new ones."""
        self._iterator = self._loader = None
        self._readers.end()
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
                worker_init_fn=_begin,
                multiprocessing_context=self._readers,
                generator=torch.Generator(),
                num_workers=self._workers,
                prefetch_factor=self._prefetch,
                pin_memory=self._pin,
            )
        try:
            self._iterator = iter(self._loader)
        except (OSError, EOFError) as error:
            message = f"the processes that read pictures ahead cannot be started: {type(error).__name__}: {error}"
            raise GraphError("E_WORKER", message, hint=HINT) from error


class _Steps(Sampler[int]):
    def __init__(self) -> None:
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        return count(self.start)


class _Reads(Dataset[Any]):
    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    @cached_property
    def read(self) -> Callable[[int], Any]:
        """Unpacked in the worker, by the first batch."""
        read: Callable[[int], Any] = unpack(self._parcel)
        return read

    def __getitem__(self, step: int) -> Any:
        try:
            return self.read(step)
        except GraphError as error:
            return Failure(error.problem.code, error.problem.message, error.problem.hint)


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin(worker: int) -> None:
    follow_parent()
