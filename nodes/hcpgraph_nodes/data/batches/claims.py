"""Who makes which items: runs that share a cache make each of them once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from hcpgraph.errors import GraphError

from .index import Index

SUFFIX = ".making"


class Claims:
    """The items that one run is making, as others see them.

    A run holds a lock on a file of its own as long as it lives; the index says which run has claimed which item. A lock
    that can be had belongs to a run that has died, and what it had claimed is free.

    Args:
        index: The index of the store.
    """

    def __init__(self, index: Index) -> None:
        self.owner = uuid4().hex
        self._index = index
        self._lock: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is None:
            return
        with suppress(GraphError):  # what stays is free once the lock is
            self._index.do(lambda connection: connection.execute("DELETE FROM claims WHERE owner = ?", (self.owner,)))
        self._lock.release()
        _unlink(self._place(self.owner))

    def take(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that no other living run has claimed: from now on they are this one's.

        Where the file system knows no locks all of them are.

        Raises:
            GraphError: E_DISK.
        """
        if self._lock is None and (lock := self._locked(self.owner)) is not None:
            self._lock = lock
        if self._lock is None:
            return list(keys)

        def run(connection: sqlite3.Connection) -> list[str]:
            marks = ",".join("?" * len(keys))
            query = f"SELECT key, owner FROM claims WHERE key IN ({marks})"
            held = {key: owner for key, owner in connection.execute(query, list(keys)) if owner != self.owner}
            dead = {owner for owner in held.values() if not self._lives(owner)}
            connection.executemany("DELETE FROM claims WHERE owner = ?", [(owner,) for owner in dead])
            free = [key for key in keys if key not in held or held[key] in dead]
            connection.executemany("INSERT OR REPLACE INTO claims VALUES (?, ?)", [(key, self.owner) for key in free])
            return free

        return self._index.do(run)

    def release(self, keys: Iterable[str]) -> None:
        """Others may have them: they are there, or will not be made.

        Raises:
            GraphError: E_DISK.
        """
        rows = [(key, self.owner) for key in keys]
        if rows and self._lock is not None:
            self._index.do(
                lambda connection: connection.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", rows)
            )

    def _place(self, owner: str) -> Path:
        return self._index.folder / f"{owner}{SUFFIX}"

    def _lives(self, owner: str) -> bool:
        place = self._place(owner)
        if not place.exists():
            return False
        lock = self._locked(owner)
        if lock is None:
            return True
        lock.release()
        _unlink(place)
        return False

    def _locked(self, owner: str) -> Any:
        """The lock of a run, or None where it cannot be had."""
        from filelock import FileLock, Timeout

        try:
            self._index.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._place(owner), timeout=0, thread_local=False)
            lock.acquire()
        except (Timeout, OSError, NotImplementedError):
            return None
        return lock


def _unlink(place: Path) -> None:
    with suppress(OSError):
        place.unlink(missing_ok=True)
