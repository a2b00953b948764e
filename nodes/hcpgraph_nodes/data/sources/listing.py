"""What lies in a folder: its pictures and the files beside them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed

from ...image.read import SUFFIXES, Header
from .headers import read_headers

OnBad = Literal["error", "skip"]
Check = Literal["header", "decode"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder that was walked through.

    Attributes:
        uri: What a graph calls it.
        root: Where it is.
        pictures: Paths of its pictures relative to it, with `/`, sorted.
        others: Paths of the further files that were asked for.
    """

    uri: str
    root: Path
    pictures: tuple[str, ...]
    others: frozenset[str] = frozenset()

    def path(self, name: str) -> Path:
        return self.root / name


def list_folder(ctx: Context, uri: str, *, recursive: bool = True, beside: tuple[str, ...] = ()) -> Listing:
    """Walk through a folder of pictures.

    Hidden files and folders are left out and linked folders are not entered; a linked file must lie below the same
    named root.

    Args:
        ctx: The context of the node.
        uri: The folder, `root:relative`.
        recursive: Whether its sub-folders belong to it.
        beside: Endings of further files to list, such as `.txt`.

    Raises:
        GraphError: E_DATA (no folder, no pictures, a part of it cannot be opened, a name that is not Unicode), E_PATH.
    """
    root = folder_of(ctx, uri)
    pictures: list[str] = []
    others: list[str] = []
    unnamed: list[str] = []

    def closed(error: OSError) -> None:
        name = os.path.relpath(error.filename or root, root)
        why = error.strerror or type(error).__name__
        raise GraphError("E_DATA", f"'{name}' in '{uri}' cannot be opened: {why}", hint="see its permissions")

    for folder, folders, files in os.walk(root, onerror=closed):
        ctx.check()
        folders[:] = [f for f in folders if recursive and not f.startswith(".")]
        for file in files:
            picture = file.lower().endswith(SUFFIXES)
            if file.startswith(".") or not (picture or file.lower().endswith(beside)):
                continue
            path = Path(folder, file)
            relative = path.relative_to(root).as_posix()
            if not _is_unicode(relative):
                unnamed.append(ascii(relative))
                continue
            if path.is_symlink():
                ctx.path(below(uri, relative))
            (pictures if picture else others).append(relative)
    if unnamed:
        raise GraphError(
            "E_DATA", f"names in '{uri}' that are not valid Unicode: {listed(unnamed)}", hint="rename these files"
        )
    if not pictures:
        raise GraphError("E_DATA", f"'{uri}' holds no pictures", hint=f"endings: {' '.join(SUFFIXES)}")
    return Listing(uri, root, tuple(sorted(pictures)), frozenset(others))


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


def stem(name: str) -> str:
    """A path without the ending of a picture: what a picture and what belongs to it have in common.

    Composed Unicode characters (NFC), so that names match that were written on different systems.
    """
    ending = next((end for end in SUFFIXES if name.lower().endswith(end)), "")
    return unicodedata.normalize("NFC", name.removesuffix(name[len(name) - len(ending) :] if ending else ""))


def by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    """The pictures of every stem; several differ in their ending alone."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(stem(name), []).append(name)
    return found


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
