"""Files and folders that a reader sees as they were or as they are, never half of them, also after a power cut.

What is written lies beside its place under a name that begins with a dot, is brought to the disk, and takes its place
by one rename; file systems with a journal keep the order of renames. Nothing else in the engine or in our packs writes
a file that is read again; a test reads the sources.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

UMASK = os.umask(0o022)
os.umask(UMASK)


@contextmanager
def replacing(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """A free path beside `path` for a new file or folder, which takes its place when the block ends without an error.

    A folder that is replaced stays whole until the new one stands: it waits under a name of its own, and where a crash
    has left it there alone, the next writer puts it back first.

    Args:
        path: Where it belongs, in a folder that is there. What a link names is replaced, not the link.
        keep: Leave a folder that is there already, and drop the new one: for names that are made of the content.

    Raises:
        OSError: the disk does not take it; what was there is as it was.
    """
    path = Path(os.path.realpath(path))
    waiting = path.with_name(f".{sha256(path.name.encode()).hexdigest()[:16]}.old")
    if waiting.is_dir() and not path.exists():
        os.replace(waiting, path)
    fresh = path.with_name(f".{token_hex(8)}.part")
    try:
        yield fresh
        if not fresh.is_dir():
            _settle(fresh)
            os.replace(fresh, path)
        else:
            for folder, _, files in os.walk(fresh):
                for name in files:
                    _settle(Path(folder, name))
            _take_place(fresh, path, waiting, keep)
    finally:
        if fresh.is_dir():
            shutil.rmtree(fresh, ignore_errors=True)
        else:
            fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file, see `replacing`.

    Raises:
        OSError: the disk does not take it; the file is as it was.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file, see `replacing`; a device or a pipe is written to as it is.

    Raises:
        OSError: the disk does not take it; the file is as it was.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    with replacing(path) as fresh, fresh.open("xb") as file:
        file.write(content)


def _take_place(fresh: Path, path: Path, waiting: Path, keep: bool) -> None:
    if not keep and path.exists():
        shutil.rmtree(waiting, ignore_errors=True)
        os.replace(path, waiting)
    try:
        os.replace(fresh, path)
    except OSError:
        if keep and path.is_dir():
            return
        if waiting.exists():
            os.replace(waiting, path)
        raise
    shutil.rmtree(waiting, ignore_errors=True)


def _settle(file: Path) -> None:
    """What was written is on the disk before the name says that it is, and can be read by whom the user lets read."""
    # a checkpoint that was linked may be another user's, which cannot be opened for writing
    opened = os.open(file, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    if stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR:  # as libraries leave it that write privately
        file.chmod(0o666 & ~UMASK)
