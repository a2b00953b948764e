"""The SQLite index of a sample store: transactions that survive other processes, damage and read-only disks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from hcpgraph.errors import GraphError

NAME = "index.sqlite"
LOCKED_SECONDS = 60
DAMAGED = (1, 11, 26)
"""Primary codes of SQLite for a file that is no such index: ERROR (no such table), CORRUPT and NOTADB."""
CANNOT_WRITE = (8, 14)
"""READONLY and CANTOPEN: what opening an index in WAL mode gives where no file can be written beside it."""
TABLES = """
CREATE TABLE IF NOT EXISTS packs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY, pack INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL,
    layout TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_pack ON items (pack);
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
"""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Index:
    """Transactions on the index of one folder.

    Args:
        folder: Where it lies.
        lost: Called when the index was damaged and a new one begins.
    """

    def __init__(self, folder: Path, lost: Callable[[], None]) -> None:
        self.folder = folder
        self.file = folder / NAME
        self._lost = lost

    def do(self, run: Work[T], *, write: bool = True) -> T:
        """Run one transaction; where the index is damaged, in a new and empty one.

        An index that cannot be written, on a read-only disk for example, is read all the same.

        Raises:
            GraphError: E_DISK, the disk is full or locked, or read-only and something is to be written.
        """
        try:
            try:
                return self._transaction(run, write)
            except sqlite3.DatabaseError as error:
                code = _code(error)
                if code in CANNOT_WRITE and not write and self.file.exists():
                    return self._only_read(run)
                if code not in DAMAGED:
                    raise
                self._lost()
                for suffix in ("", "-wal", "-shm"):
                    self.file.with_name(f"{NAME}{suffix}").unlink(missing_ok=True)
                return self._transaction(run, write)
        except (sqlite3.Error, OSError) as error:
            raise no_disk(self.folder, error) from error

    def _transaction(self, run: Work[T], write: bool) -> T:
        """A connection each: none is shared with threads or forked workers, or left open in a session that idles."""
        with closing(sqlite3.connect(self.file, timeout=LOCKED_SECONDS, isolation_level=None)) as connection:
            connection.text_factory = _text
            _create(connection)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                result = run(connection)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

    def _only_read(self, run: Work[T]) -> T:
        """Nobody writes where nothing can be written, so that no lock is needed."""
        place = f"{self.file.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as connection:
            connection.text_factory = _text
            return run(connection)


def no_disk(folder: Path, error: Exception) -> GraphError:
    """The error of a disk that does not take what is to be kept."""
    return GraphError(
        "E_DISK",
        f"the cache of samples cannot be read and written: {error}",
        hint=f"make room on the disk of {folder}, or give another folder with --root cache=FOLDER; what was kept so "
        "far stays",
    )


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none. Only one process at a time can turn on WAL, and SQLite does not wait."""
    deadline = time.monotonic() + LOCKED_SECONDS
    while not connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'claims'").fetchone()[0]:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(TABLES)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _code(error: sqlite3.Error) -> int:
    """The primary code of SQLite; 0 for what Python itself raises."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _text(content: bytes) -> str:
    """A damaged text is another text, whose item is then found to be damaged; not an error of every query."""
    return content.decode("utf-8", "replace")
