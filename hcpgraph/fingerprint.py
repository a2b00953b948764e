"""Content of files as part of a cache key: sha256, remembered by (path, size, mtime, inode, ctime)."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK = 1 << 20
THREADS = 8
AT_ONCE = 512
Stat = tuple[int, int, int, int]


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _stat(path: str | Path) -> Stat:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


def stamp(path: str | Path) -> str:
    """What changes whenever a file is written anew: size, mtime, inode, ctime."""
    return repr(_stat(path))


def walk(top: Path, onerror: Callable[[OSError], None] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` from the top, sorted, that enters linked folders too, but none that it is inside of.

    As with `os.walk`, folders that are taken off the list are not entered.
    """

    def identity(folder: str) -> tuple[int, int] | None:
        with suppress(OSError):
            found = os.stat(folder)
            return found.st_dev, found.st_ino
        return None

    inside = {str(top): frozenset[tuple[int, int] | None]()}
    for folder, names, files in os.walk(top, onerror=onerror, followlinks=True):
        around = inside.pop(folder) | {identity(folder)}
        names.sort()
        for name in list(names):
            path = os.path.join(folder, name)
            if os.path.islink(path) and identity(path) in around:
                names.remove(name)
            else:
                inside[path] = around
        yield folder, names, files


def files_below(path: Path) -> list[Path]:
    """The file itself, or all files below a folder, sorted; hidden ones and broken links are left out."""
    if path.is_file():
        return [path]
    found = []
    for folder, names, files in walk(path):
        names[:] = [name for name in names if not name.startswith(".")]
        found += [path for name in files if not name.startswith(".") and (path := Path(folder, name)).is_file()]
    return sorted(found)


def measure(path: Path) -> dict[str, int]:
    """`size` of a file in bytes, `count` of the files in a folder."""
    return {"count": len(files_below(path))} if path.is_dir() else {"size": path.stat().st_size}


class Fingerprints:
    """Hashes of files and folders, kept in a small database beside the cache.

    Args:
        database: Where they are remembered; None remembers nothing.
    """

    def __init__(self, database: Path | None = None) -> None:
        self._database = database

    @contextmanager
    def _open(self, create: bool) -> Iterator[sqlite3.Connection | None]:
        if self._database is None or not (create or self._database.exists()):
            yield None
            return
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._database, timeout=30)
            connection.execute("CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stat TEXT, sha256 TEXT)")
        except (OSError, sqlite3.Error):
            yield None
            return
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def of(self, path: Path, *, known_only: bool = False) -> str | None:
        """sha256 of a file; of a folder the sha256 over the names and hashes of its files.

        Args:
            path: File or folder that exists.
            known_only: Answer None instead of reading a file whose hash is not remembered.
        """
        stats = {file: repr(_stat(file)) for file in files_below(path)}
        hashes = self._remembered(stats)
        missing = [file for file in stats if file not in hashes]
        if missing and known_only:
            return None
        fresh = {file: sha256_file(file) for file in missing}
        self._remember({file: digest for file, digest in fresh.items() if repr(_stat(file)) == stats[file]}, stats)
        hashes |= fresh
        if path.is_file():
            return hashes[path]
        merkle = hashlib.sha256()
        for file in stats:
            merkle.update(f"{file.relative_to(path).as_posix()}\0{hashes[file]}\n".encode())
        return merkle.hexdigest()

    def many(self, files: Iterable[Path], check: Callable[[int, int], None]) -> dict[Path, tuple[str, str]]:
        """sha256 and stamp of many files, the unknown ones read by several threads.

        The stamp is that of before a file was read: as long as it is the file's stamp, the hash is that of the file.

        Args:
            files: Files that exist.
            check: Called now and then with the number of files done and of all; it may raise.
        """
        from concurrent.futures import ThreadPoolExecutor

        wanted = list(dict.fromkeys(files))
        found: dict[Path, tuple[str, str]] = {}
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(wanted), AT_ONCE):
                check(start, len(wanted))
                stamps = {file: stamp(file) for file in wanted[start : start + AT_ONCE]}
                hashes = self._remembered(stamps)
                missing = [file for file in stamps if file not in hashes]
                fresh = dict(zip(missing, pool.map(sha256_file, missing), strict=True))
                self._remember({file: sha for file, sha in fresh.items() if stamp(file) == stamps[file]}, stamps)
                hashes |= fresh
                found |= {file: (hashes[file], stamps[file]) for file in stamps}
        return found

    def _remembered(self, stats: Mapping[Path, str]) -> dict[Path, str]:
        found: dict[Path, str] = {}
        with suppress(sqlite3.Error), self._open(create=False) as connection:
            for file in stats if connection is not None else ():
                assert connection is not None
                row = connection.execute("SELECT stat, sha256 FROM files WHERE path = ?", (str(file),)).fetchone()
                if row is not None and row[0] == stats[file]:
                    found[file] = str(row[1])
        return found

    def _remember(self, hashes: Mapping[Path, str], stats: Mapping[Path, str]) -> None:
        """Write all at once, so that no other process waits while files are read."""
        rows = [(str(file), stats[file], digest) for file, digest in hashes.items()]
        if not rows:
            return
        with suppress(sqlite3.Error), self._open(create=True) as connection:
            if connection is not None:
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
