"""Headers of picture files: read in parallel, once, and remembered on disk by (path, size, mtime, inode, ctime)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hcpgraph import Context
from hcpgraph.declaring.sources import code_of
from hcpgraph.fingerprint import stamp

from ...image.read import Header, formats, read_header, reason

THREADS = 8
CHUNK = 512
DATABASE = "cache:pictures.sqlite"
TABLE = """CREATE TABLE IF NOT EXISTS headers (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, width INTEGER, height INTEGER, alpha INTEGER,
    problem TEXT NOT NULL, damage TEXT
)"""


class _Known(NamedTuple):
    """What was found in a file: its header or why it has none, and, once it was decoded, what was damaged in it."""

    header: Header | None
    problem: str
    damage: str | None

    def enough(self, decode: bool) -> bool:
        return bool(self.problem) or not decode or self.damage is not None

    def answer(self, decode: bool) -> Header | str:
        if self.header is None or (decode and self.damage):
            return self.problem or self.damage or ""
        return self.header


def read_headers(ctx: Context, files: Iterable[Path], *, decode: bool = False) -> dict[Path, Header | str]:
    """The header of every file, or why it cannot be read.

    A file that was looked at before and has not changed since is not opened again.

    Args:
        ctx: The context of the node.
        files: Picture files.
        decode: Whether every file is decoded too, so that a damaged one is found.
    """
    memory = _Memory(ctx.path(DATABASE, must_exist=False))
    wanted = list(dict.fromkeys(files))
    answers: dict[Path, Header | str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(wanted), CHUNK):
            ctx.check()
            chunk = wanted[start : start + CHUNK]
            before = _stamps(chunk)
            known = memory.recall(before)
            unknown = [file for file in chunk if file not in known or not known[file].enough(decode)]
            fresh = dict(zip(unknown, pool.map(partial(_look, decode), unknown), strict=True))
            after = _stamps(unknown)
            memory.keep({file: found for file, found in fresh.items() if before[file] == after[file] != ""}, after)
            answers |= {file: (fresh.get(file) or known[file]).answer(decode) for file in chunk}
            ctx.progress(len(answers), len(wanted))
    return answers


def _look(decode: bool, file: Path) -> _Known:
    try:
        header = read_header(file)
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        return _Known(None, reason(error, file), None)
    if not decode:
        return _Known(header, "", None)
    try:
        read_header(file, decode=True)
    except Exception as error:
        return _Known(header, "", reason(error, file))
    return _Known(header, "", "")


def _stamps(files: Sequence[Path]) -> dict[Path, str]:
    """What changes whenever a file changes, or the code that reads it; empty for a file that is gone."""
    stamps, code = {}, f"{code_of(__name__, 'PIL')} {' '.join(formats())}"
    for file in files:
        try:
            stamps[file] = f"{stamp(file)} {code}"
        except OSError:
            stamps[file] = ""
    return stamps


class _Memory:
    """The database; where it cannot be opened or written, nothing is remembered and nothing fails."""

    def __init__(self, database: Path) -> None:
        self._database = database

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._database.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._database, timeout=30)
        try:
            connection.execute(TABLE)
            with connection:
                yield connection
        finally:
            connection.close()

    def recall(self, stamps: Mapping[Path, str]) -> dict[Path, _Known]:
        found: dict[Path, _Known] = {}
        by_name = {str(file): file for file in stamps}
        marks = ",".join("?" * len(by_name))
        query = f"SELECT path, stamp, width, height, alpha, problem, damage FROM headers WHERE path IN ({marks})"
        with suppress(sqlite3.Error, OSError), self._open() as connection:
            for path, stamp, width, height, alpha, problem, damage in connection.execute(query, list(by_name)):
                if stamp == stamps[by_name[path]]:
                    header = None if width is None else Header((width, height), bool(alpha))
                    found[by_name[path]] = _Known(header, problem, damage)
        return found

    def keep(self, found: Mapping[Path, _Known], stamps: Mapping[Path, str]) -> None:
        """Write all at once, so that no other process waits while pictures are read."""
        if not found:
            return
        rows = []
        for file, known in found.items():
            header = (None, None, None) if known.header is None else (*known.header.size, known.header.alpha)
            rows.append((str(file), stamps[file], *header, known.problem, known.damage))
        with suppress(sqlite3.Error, OSError), self._open() as connection:
            connection.executemany("INSERT OR REPLACE INTO headers VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
