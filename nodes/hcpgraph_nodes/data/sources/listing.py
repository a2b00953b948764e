"""What lies in a folder: its pictures, the files beside them, and what was not entered."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed
from hcpgraph.fingerprint import walk
from hcpgraph.paths import LINKED

from ...image.read import SUFFIXES, Header
from .headers import read_headers

FOLLOWED = tuple(f"{name}:" for name in LINKED)
"""Roots whose linked folders are entered."""
OnBad = Literal["error", "skip"]
Check = Literal["header", "decode"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder that was walked through.

    Attributes:
        uri: What a graph calls it.
        root: Where it is.
        pictures: Paths of its pictures relative to it, with `/`, sorted.
        others: Paths of all further files.
        hidden: Files and folders whose names begin with a dot.
        closed: Folders that were not entered: links, and sub-folders where they do not belong to it.
    """

    uri: str
    root: Path
    pictures: tuple[str, ...]
    others: frozenset[str] = frozenset()
    hidden: int = 0
    closed: tuple[str, ...] = ()

    def path(self, name: str) -> Path:
        return self.root / name

    def unused(self, used: Collection[str] = ()) -> str:
        """What of the folder is not used, counted, for the end of a line of the log; empty where all of it is.

        Args:
            used: The further files that were read.
        """
        rest = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in self.others - set(used))
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(rest.items()))
        counts = {"other files": rest.total(), "hidden": self.hidden, "folders not entered": len(self.closed)}
        told = [
            f"{count} {what}{f' ({kinds})' if what == 'other files' else ''}" for what, count in counts.items() if count
        ]
        return f"; not used: {', '.join(told)}" if told else ""


def list_folder(ctx: Context, uri: str, *, recursive: bool = True) -> Listing:
    """Walk through a folder of pictures.

    Hidden files and folders are left out. Links of `data:` and `models:` are followed, others within their root.

    Args:
        ctx: The context of the node.
        uri: The folder, `root:relative`.
        recursive: Whether its sub-folders belong to it.

    Raises:
        GraphError: E_DATA (no folder, no pictures, a part of it cannot be opened, a name that is not Unicode), E_PATH.
    """
    root = folder_of(ctx, uri)
    pictures: list[str] = []
    others: list[str] = []
    unnamed: list[str] = []
    shut: list[str] = []
    hidden, followed = 0, uri.startswith(FOLLOWED)

    def closed(error: OSError) -> None:
        name, why = os.path.relpath(error.filename, root), error.strerror or type(error).__name__
        raise GraphError("E_DATA", f"'{name}' in '{uri}' cannot be opened: {why}", hint="see its permissions")

    for folder, folders, files in walk(root, onerror=closed):
        ctx.check()
        hidden += sum(name.startswith(".") for name in (*folders, *files))
        inner = [name for name in folders if not name.startswith(".")]
        entered = [name for name in inner if recursive and (followed or not Path(folder, name).is_symlink())]
        shut += [name for name in inner if name not in entered]
        folders[:] = entered
        for file in files:
            if file.startswith("."):
                continue
            path = Path(folder, file)
            relative = path.relative_to(root).as_posix()
            if not _is_unicode(relative):
                unnamed.append(ascii(relative))
                continue
            if path.is_symlink():
                ctx.path(below(uri, relative))
            (pictures if file.lower().endswith(SUFFIXES) else others).append(relative)
    if unnamed:
        raise GraphError(
            "E_DATA", f"names in '{uri}' that are not valid Unicode: {listed(unnamed)}", hint="rename these files"
        )
    found = Listing(uri, root, tuple(sorted(pictures)), frozenset(others), hidden, tuple(shut))
    if not pictures:
        raise GraphError("E_DATA", f"'{uri}' holds no pictures{found.unused()}", hint=f"endings: {' '.join(SUFFIXES)}")
    return found


def folder_of(ctx: Context, uri: str) -> Path:
    """The folder that a setting names. Raises GraphError E_DATA if it is a file, E_NOT_FOUND, E_PATH."""
    root = ctx.path(uri)
    if not root.is_dir():
        raise GraphError("E_DATA", f"'{uri}' is no folder", hint="name the folder, not one of its files")
    return root


def below(uri: str, relative: str) -> str:
    """`root:relative` of a file in a folder."""
    return f"{uri.rstrip('/')}{'' if uri.endswith(':') else '/'}{relative}"


def readable(ctx: Context, uri: str, files: Mapping[str, Path], *, decode: bool, on_bad: OnBad) -> dict[str, Header]:
    """Headers of the pictures that can be read; the order is kept.

    Args:
        ctx: The context of the node.
        uri: Where they come from, for messages.
        files: The pictures by the name that messages give them.
        decode: Whether they are decoded as a whole.
        on_bad: What to do with those that cannot be read.

    Raises:
        GraphError: E_PICTURE, names every picture that cannot be read.
    """
    answers = read_headers(ctx, files.values(), decode=decode)
    found = {name: answers[path] for name, path in files.items()}
    bad = {name: why for name, why in found.items() if isinstance(why, str)}
    if bad:
        named = listed((f"{name} ({why})" for name, why in bad.items()), "; ")
        message = f"{len(bad)} of {len(files)} pictures in '{uri}' cannot be read: {named}"
        if on_bad == "error":
            raise GraphError("E_PICTURE", message, hint="replace or remove them, or set on_bad to skip")
        ctx.log(f"left out, {message}", level="warning")
    return {name: header for name, header in found.items() if not isinstance(header, str)}


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
