"""`SampleStore`: named arrays on disk by the digest of what they were made of.

Items are appended to pack files, each written by one process alone; one SQLite index in WAL mode says which item lies
where (`index.py`). An item exists once its bytes are on the disk and its row is committed: whatever a killed process
leaves behind is a tail that no row mentions. Two processes that make the same item write it twice, and the first row
counts; `claims.py` lets them share the work. A cache that is complete is read where nothing can be written.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np

from hcpgraph.errors import GraphError

from .claims import Claims
from .index import Index, no_disk
from .items import ALIGN, Items, layout, packed, unpacked

FOLDER = "cache:samples"
LIMIT_VARIABLE = "HCPGRAPH_SAMPLE_CACHE_GB"
DEFAULT_GB = 100.0
PACK_BYTES = 256 * 2**20
THREADS = 4
AT_ONCE = 500
USED_SECONDS = 3600
Arrays = Mapping[str, np.ndarray]


class Row(NamedTuple):
    """Where an item lies."""

    key: str
    pack: int
    start: int
    size: int
    crc: int
    layout: str


class SampleStore:
    """Items below one folder.

    Args:
        folder: Where packs and index lie.
        max_bytes: Size of all packs from which on the least recently used ones go. Packs that this store has read or
            written stay: a set larger than the limit is kept whole while it is in use.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self.folder = folder
        self.max_bytes = limit() if max_bytes is None else max_bytes
        self._since = int(time.time())
        self._writing: tuple[int, int, Path] | None = None
        self._maps: dict[int, np.ndarray] = {}
        self._lock = threading.RLock()
        self.index = Index(folder, self._forget_pack)

    def missing(self, keys: Iterable[str], check: Callable[[int, int], None] | None = None) -> list[str]:
        """Those of the keys that have no item, in order; an item that is damaged is forgotten and counts as missing.

        Args:
            keys: Digests.
            check: Called now and then with the number of items read and of all; it may raise. Without it bytes are not
                read: an item is there if its row is.
        """
        wanted = list(dict.fromkeys(keys))
        rows = self._rows(wanted)
        if check is None:
            return [key for key in wanted if key not in rows]
        good: set[str] = set()
        found = list(rows.values())
        with ThreadPoolExecutor(THREADS) as pool:
            for begin in range(0, len(found), AT_ONCE):
                check(begin, len(found))
                part = found[begin : begin + AT_ONCE]
                self._map(part)
                good |= {row.key for row, whole in zip(part, pool.map(self._whole, part), strict=True) if whole}
        self._forget([row for row in found if row.key not in good])
        return [key for key in wanted if key not in good]

    def open(self, keys: Sequence[str]) -> Items:
        """The items of distinct keys, in their order, mapped into memory; they outlive the store.

        Raises:
            GraphError: E_CACHE, one is not there.
        """
        rows = self._rows(keys)
        self._map(rows.values())
        lost = [key for key in keys if key not in rows or self._view(rows[key]) is None]
        if lost:
            raise GraphError(
                "E_CACHE",
                f"{len(lost)} of {len(keys)} cached samples are gone",
                hint="something else removes files below cache:samples; run again: they are made anew",
            )
        layouts = {text: number for number, text in enumerate(dict.fromkeys(row.layout for row in rows.values()))}
        packs = {pack: number for number, pack in enumerate(dict.fromkeys(row.pack for row in rows.values()))}
        ordered = [rows[key] for key in keys]
        return Items(
            [self._maps[pack] for pack in packs],
            [layout(text) for text in layouts],
            np.array([(packs[r.pack], r.start, layouts[r.layout]) for r in ordered], np.int64).reshape(-1, 3),
        )

    def get(self, keys: Iterable[str]) -> dict[str, dict[str, np.ndarray]]:
        """Copies of those items that are there and whole."""
        rows = self._rows(list(keys))
        self._map(rows.values())
        found, damaged = {}, []
        for key, row in rows.items():
            if self._whole(row):
                content = bytes(self._view(row))  # type: ignore[arg-type]
                found[key] = {name: array.copy() for name, array in unpacked(content, 0, layout(row.layout)).items()}
            else:
                damaged.append(row)
        self._forget(damaged)
        return found

    def put(self, items: Mapping[str, Arrays]) -> None:
        """Keep items; one that is there already stays as it is.

        Raises:
            GraphError: E_DISK, the disk does not take them.
        """
        parts: list[tuple[str, bytes, str]] = []
        for key, arrays in items.items():
            described, content = packed(arrays)
            parts.append((key, content, described))
        if not parts:
            return
        try:
            with self._lock:
                while not self._append(parts):
                    self._writing = None
        except OSError as error:
            raise no_disk(self.folder, error) from error

    def claims(self) -> Claims:
        """What this run is about to make, told to others that share the store."""
        return Claims(self.index)

    def _forget_pack(self) -> None:
        self._writing = None

    def trim(self) -> None:
        """Remove the least recently used packs while there is too much, and files that no row mentions."""

        def run(connection: sqlite3.Connection) -> list[str]:
            total = connection.execute("SELECT COALESCE(SUM(bytes), 0) FROM packs").fetchone()[0]
            gone = []
            oldest = "SELECT id, name, bytes FROM packs WHERE used < ? ORDER BY used, id"
            for id, name, size in connection.execute(oldest, (self._since,)).fetchall():
                if total <= self.max_bytes:
                    break
                connection.execute("DELETE FROM items WHERE pack = ?", (id,))
                connection.execute("DELETE FROM packs WHERE id = ?", (id,))
                total -= size
                gone.append(name)
            kept = {name for (name,) in connection.execute("SELECT name FROM packs")}
            return gone + [path.name for path in self.folder.glob("*.pack") if path.name not in {*kept, *gone}]

        for name in self.index.do(run):
            with suppress(OSError):  # Windows keeps a file that a process has mapped; the next trim finds it again
                (self.folder / name).unlink()

    def _append(self, parts: Sequence[tuple[str, bytes, str]]) -> bool:
        """Write the items and commit their rows; False if the pack was removed by another process meanwhile."""
        id, path = self._pack(sum(len(content) for _, content, _ in parts))
        rows = []
        with path.open("ab") as file:
            before = file.seek(0, os.SEEK_END)
            try:
                for key, content, described in parts:
                    file.write(b"\0" * (-file.tell() % ALIGN))
                    rows.append(Row(key, id, file.tell(), len(content), _checksum(content, described), described))
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, before)
                raise
            size = file.tell()

        def run(connection: sqlite3.Connection) -> bool:
            update = "UPDATE packs SET bytes = ?, used = ? WHERE id = ? AND name = ?"
            if not connection.execute(update, (size, int(time.time()), id, path.name)).rowcount:
                return False
            connection.executemany("INSERT OR IGNORE INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)
            return True

        return self.index.do(run)

    def _pack(self, room: int) -> tuple[int, Path]:
        """The pack that this process writes; a new one where there is none, it is full, or this is a forked child.

        Its row is there before its file, so that `trim` of another process never takes it for a leftover.
        """
        if self._writing is not None:
            pid, id, path = self._writing
            if pid == os.getpid() and path.exists() and path.stat().st_size + room <= PACK_BYTES:
                return id, path
        self.folder.mkdir(parents=True, exist_ok=True)
        self.trim()
        path = self.folder / f"{uuid4().hex}.pack"

        def run(connection: sqlite3.Connection) -> int:
            insert = "INSERT INTO packs (name, bytes, used) VALUES (?, 0, ?)"
            made = connection.execute(insert, (path.name, int(time.time()))).lastrowid
            assert made is not None
            return made

        id = self.index.do(run)
        path.touch(exist_ok=False)
        self._writing = (os.getpid(), id, path)
        return id, path

    def _rows(self, keys: Sequence[str]) -> dict[str, Row]:
        if not self.index.file.exists():
            return {}

        def run(connection: sqlite3.Connection) -> dict[str, Row]:
            found: dict[str, Row] = {}
            for begin in range(0, len(keys), AT_ONCE):
                part = keys[begin : begin + AT_ONCE]
                query = f"SELECT * FROM items WHERE key IN ({','.join('?' * len(part))})"
                found |= {row[0]: Row(*row) for row in connection.execute(query, part)}
            return found

        found = self.index.do(run, write=False)
        self._forget([row for row in found.values() if not _sound(row)])
        found = {key: row for key, row in found.items() if _sound(row)}
        with suppress(GraphError):  # a disk that is full is no reason not to read
            self._touch({row.pack for row in found.values()})
        return found

    def _touch(self, packs: set[int]) -> None:
        """Note that packs are used; a second time only after an hour."""
        stale = max(self._since, int(time.time()) - USED_SECONDS)
        marks = ",".join("?" * len(packs))

        def old(connection: sqlite3.Connection) -> list[int]:
            query = f"SELECT id FROM packs WHERE id IN ({marks}) AND used < ?"
            return [id for (id,) in connection.execute(query, (*packs, stale))]

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE packs SET used = ? WHERE id = ?", [(int(time.time()), id) for id in late])

        if packs and (late := self.index.do(old, write=False)):
            self.index.do(run)

    def _map(self, rows: Iterable[Row]) -> None:
        """Map the packs of rows into memory, anew where they have grown."""
        ends: dict[int, int] = {}
        for row in rows:
            ends[row.pack] = max(ends.get(row.pack, 0), row.start + row.size)
        todo = [pack for pack, end in ends.items() if pack not in self._maps or len(self._maps[pack]) < end]
        if not todo:
            return

        def run(connection: sqlite3.Connection) -> dict[int, str]:
            every: Iterator[tuple[int, str]] = connection.execute("SELECT id, name FROM packs")
            return {id: name for id, name in every if id in wanted}

        wanted = set(todo)
        for id, name in self.index.do(run, write=False).items():
            with suppress(OSError, ValueError):  # gone or empty: what lies in it counts as missing
                self._maps[id] = np.memmap(self.folder / name, np.uint8, "r")

    def _view(self, row: Row) -> np.ndarray | None:
        found = self._maps.get(row.pack)
        return None if found is None or len(found) < row.start + row.size else found[row.start : row.start + row.size]

    def _whole(self, row: Row) -> bool:
        """Whether bytes and row are as they were written; whatever a damaged row says is no reason to fail."""
        content = self._view(row)
        return content is not None and _checksum(content.data, row.layout) == row.crc

    def _forget(self, rows: Sequence[Row]) -> None:
        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM items WHERE key = ? AND pack IS ? AND start IS ?",
                [(row.key, row.pack, row.start) for row in rows],
            )

        if rows:
            with suppress(GraphError):  # a row that cannot be removed is found damaged again
                self.index.do(run)


def _checksum(content: bytes | memoryview, layout: str) -> int:
    """Over the bytes of an item and what says which arrays they are."""
    return zlib.crc32(layout.encode(), zlib.crc32(content))


def _sound(row: Row) -> bool:
    """Whether a row can be one that was written: SQLite keeps any value in any column."""
    numbers = (row.pack, row.start, row.size, row.crc)
    return all(type(number) is int and number >= 0 for number in numbers) and type(row.layout) is str


def limit() -> int:
    """Bytes from which on old packs go: HCPGRAPH_SAMPLE_CACHE_GB, or 100 GB.

    Raises:
        GraphError: E_SETTING, the variable is no number.
    """
    given = os.environ.get(LIMIT_VARIABLE, "")
    try:
        size = float(given) if given else DEFAULT_GB
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf"):
        raise GraphError("E_SETTING", f"{LIMIT_VARIABLE} is '{given}'", hint="give a number of gigabytes, such as 100")
    return int(size * 2**30)
