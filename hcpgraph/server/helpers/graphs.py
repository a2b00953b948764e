"""The graphs of a workspace: `graphs/NAME.json`, saved at once or not at all, never over somebody else's change."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from ...atomic import write_text
from ...errors import GraphError, GraphErrors
from ...paths import Roots
from .opened import etag_of

FOLDER = "graphs"
SUFFIX = ".json"
MAX_NAME = 200
MAX_DEPTH = 8
MAX_LISTED = 10_000
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]{1,100}")
_SAVING = threading.Lock()


def path_of(name: str, roots: Roots) -> Path:
    """The file of a graph: `cats/lora` is graphs/cats/lora.json.

    Raises:
        GraphErrors: E_NAME, it is no name; E_PATH, it leads out of the folder through a link.
    """
    parts = name.split("/")
    fine = len(parts) <= MAX_DEPTH and all(_PART.fullmatch(part) and part == part.strip(". ") for part in parts)
    if not fine or not 0 < len(name) <= MAX_NAME or not _is_text(name):
        hint = "use letters, digits, spaces, - and _, and / between folders"
        raise GraphErrors.one("E_NAME", f"{name[:80]!r} is no name for a graph", hint=hint)
    inside = Roots(roots.workspace, {FOLDER: folder(roots)})
    try:
        return inside.resolve(f"{FOLDER}:{name}{SUFFIX}", must_exist=False)
    except GraphError as error:
        raise GraphErrors([error.problem]) from None


def folder(roots: Roots) -> Path:
    return roots.workspace / FOLDER


def files(roots: Roots) -> dict[str, Path]:
    """Name -> file of every graph in the workspace, sorted by name; links are not followed."""
    return dict(sorted(_walk(folder(roots))))


def save(name: str, text: str, etag: str | None, roots: Roots) -> None:
    """Write a graph; other writers of this process wait.

    Args:
        etag: Of the content that is replaced; None if there must be none.

    Raises:
        GraphErrors: E_CONFLICT, something else is there; E_NAME, E_PATH, E_DISK.
    """
    path = path_of(name, roots)
    with _SAVING:
        _same(name, path, etag)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        except OSError as error:
            raise GraphErrors.one("E_DISK", f"'{name}' cannot be saved: {error.strerror or error}") from None


def delete(name: str, etag: str | None, roots: Roots) -> None:
    """Remove a graph whose content is the named one.

    Raises:
        GraphErrors: E_NOT_FOUND, E_CONFLICT, E_NAME, E_PATH.
    """
    path = path_of(name, roots)
    with _SAVING:
        _present(name, path)
        _same(name, path, etag)
        path.unlink()
        _drop_empty(path.parent, roots)


def move(source: str, target: str, etag: str | None, roots: Roots) -> Path:
    """Give a graph another name.

    Raises:
        GraphErrors: E_NOT_FOUND, E_CONFLICT (it was changed, or the new name is taken), E_NAME, E_PATH.
    """
    old, new = path_of(source, roots), path_of(target, roots)
    with _SAVING:
        _present(source, old)
        _same(source, old, etag)
        if new.exists() and not (new.samefile(old) and new != old):
            raise GraphErrors.one("E_CONFLICT", f"there is already a graph '{target}'", hint="choose another name")
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        _drop_empty(old.parent, roots)
    return new


def _present(name: str, path: Path) -> None:
    if not path.is_file():
        raise GraphErrors.one("E_NOT_FOUND", f"there is no graph '{name}'")


def _same(name: str, path: Path, etag: str | None) -> None:
    try:
        found = etag_of(path.read_bytes())
    except FileNotFoundError:
        found = None
    except OSError:
        raise GraphErrors.one("E_CONFLICT", f"there is something else under the name '{name}'") from None
    if found == etag:
        return
    if found is None:
        message, hint = f"'{name}' was deleted meanwhile", "save it as new"
    elif etag is None:
        message, hint = f"there is already a graph '{name}'", "choose another name, or open that one"
    else:
        message, hint = f"'{name}' was changed by somebody else meanwhile", "open it again, or save under another name"
    raise GraphErrors.one("E_CONFLICT", message, hint=hint)


def _drop_empty(place: Path, roots: Roots) -> None:
    """Folders exist for the graphs in them."""
    top = folder(roots).resolve()
    while place != top and top in place.parents and not any(place.iterdir()):
        place.rmdir()
        place = place.parent


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    number = 0
    for place, names, found in os.walk(top):
        names[:] = [name for name in names if not name.startswith(".")]
        for file in found:
            path = Path(place, file)
            if file.endswith(SUFFIX) and not file.startswith(".") and not path.is_symlink():
                number += 1
                if number > MAX_LISTED:
                    return
                yield path.relative_to(top).with_suffix("").as_posix(), path


def _is_text(name: str) -> bool:
    """Whether it is what somebody typed: bytes of an address that are no UTF-8 arrive as U+FFFD."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\ufffd" not in name
