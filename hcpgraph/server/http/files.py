"""Files below the named roots: what the editor may list, look at, take away and delete."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ...errors import GraphError, GraphErrors
from ...fingerprint import stamp
from ...paths import URI, Roots
from ..schema.wire import FileEntry
from .uploads import UPLOADS

Kind = Literal["folder", "image", "weights", "graph", "text", "other"]

IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}
"""What is shown in the page; everything else is handed out as a download without a type of its own."""
KINDS: dict[str, Kind] = {
    **dict.fromkeys(IMAGES, "image"),
    **dict.fromkeys((".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin"), "weights"),
    **dict.fromkeys((".txt", ".caption", ".csv", ".tsv", ".jsonl", ".md", ".log", ".yaml", ".yml"), "text"),
    ".json": "graph",
}
HIDDEN = frozenset({"cache"})
"""Roots that are the server's own business: its queue, its logs, results by key."""
RESULTS = "out"
"""The root that runs write to."""
DELETABLE = (RESULTS, f"data/{UPLOADS}", f"models/{UPLOADS}")


def visible(roots: Roots) -> list[str]:
    """Names of the roots that the editor shows."""
    return [name for name in roots.names() if name not in HIDDEN]


def resolve(uri: str, roots: Roots, *, must_exist: bool = True) -> Path:
    """The file or folder that a page asks for.

    Raises:
        GraphError: E_PATH, it is malformed, leaves its root, or lies in a root or a folder that is not shown;
            E_NOT_FOUND.
    """
    match = URI.fullmatch(uri)
    if match is not None:
        parts = match[2].replace("\\", "/").split("/")
        if match[1] in HIDDEN or any(part.strip().startswith(".") and part.strip(". ") for part in parts):
            raise GraphError("E_PATH", f"'{uri[:200]}' is not shown here")
    return roots.resolve(uri, must_exist=must_exist)


def listing(uri: str, roots: Roots) -> list[FileEntry]:
    """What lies in a folder: folders first, then by name; without an address, the roots.

    Nothing lies in a root that is not there yet, nor in a folder of results: the first run that writes makes it.

    Raises:
        GraphErrors: E_PATH, E_NOT_FOUND.
    """
    if not uri:
        return [_root(name, roots) for name in visible(roots)]
    name, _, rest = uri.partition(":")
    made = name == RESULTS or not rest.strip("/ ")
    path = resolve(uri, roots, must_exist=not made)
    if made and not path.exists():
        return []
    if not path.is_dir():
        raise GraphErrors.one("E_PATH", f"'{uri}' is no folder")
    base = uri if uri.endswith(":") else uri.rstrip("/") + "/"
    found = [_entry(entry, base, roots) for entry in _entries(path)]
    return sorted((entry for entry in found if entry), key=lambda entry: (entry["kind"] != "folder", entry["name"]))


def stamps(uris: Iterable[str], roots: Roots) -> dict[str, str | None]:
    """What changes with each file; None for what is not there or not shown."""
    found: dict[str, str | None] = {}
    for uri in uris:
        try:
            found[uri] = sha256(stamp(resolve(uri, roots)).encode()).hexdigest()[:16]
        except (OSError, GraphError):
            found[uri] = None
    return found


def picture_type(path: Path) -> str | None:
    """The content type of a picture that may be shown, None for anything else."""
    return IMAGES.get(path.suffix.lower())


def delete(uri: str, roots: Roots) -> None:
    """Delete a file that a run wrote or a page uploaded, or such a folder.

    Raises:
        GraphErrors: E_PATH, it lies elsewhere; E_NOT_FOUND; E_DISK.
    """
    import shutil

    path = resolve(uri, roots)
    places = [roots.root(place.partition("/")[0]).joinpath(*place.split("/")[1:]) for place in DELETABLE]
    if not any(os.path.realpath(place) != str(path) and path.is_relative_to(os.path.realpath(place))
               for place in places):  # fmt: skip
        hint = "only what runs wrote (out:) and what was uploaded can be deleted here"
        raise GraphErrors.one("E_PATH", f"'{uri[:200]}' cannot be deleted", hint=hint)
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise GraphErrors.one("E_DISK", f"'{uri}' cannot be deleted: {error.strerror or error}") from None


def _root(name: str, roots: Roots) -> FileEntry:
    folder = roots.root(name)
    there = folder.is_dir()
    count = sum(1 for _ in _entries(folder)) if there else 0
    modified = folder.stat().st_mtime if there else 0.0
    return {"name": name, "uri": f"{name}:", "kind": "folder", "size": 0, "modified": modified, "count": count}


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        for entry in found:
            if not entry.name.startswith("."):
                yield entry


def _entry(entry: os.DirEntry[str], base: str, roots: Roots) -> FileEntry | None:
    """None for what cannot be opened: a link out of its root, a socket, a name that is no text."""
    try:
        entry.name.encode()
        found = entry.stat()
        if entry.is_symlink():
            roots.resolve(base + entry.name)
    except (OSError, GraphError, UnicodeEncodeError):
        return None
    described: FileEntry = {
        "name": entry.name,
        "uri": base + entry.name,
        "kind": "folder",
        "size": 0,
        "modified": found.st_mtime,
    }
    if stat.S_ISDIR(found.st_mode):
        try:
            return {**described, "count": sum(1 for _ in _entries(Path(entry.path)))}
        except OSError:
            return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return {**described, "kind": KINDS.get(Path(entry.name).suffix.lower(), "other"), "size": found.st_size}
