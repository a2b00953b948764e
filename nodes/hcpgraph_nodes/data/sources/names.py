"""Names of pictures as people and programs write them, and which picture is meant."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...image.read import SUFFIXES

_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


def composed(name: str) -> str:
    """Composed Unicode (NFC), so that names match that were written on different systems."""
    return unicodedata.normalize("NFC", name)


def entry_name(text: str) -> str:
    r"""A path as a list writes it: composed, with `/` for `\`, without `./` and double slashes."""
    name = composed(text.strip()).replace("\\", "/")
    return posixpath.normpath(name).removeprefix("./") if name else ""


def is_absolute(name: str) -> bool:
    """Whether it begins at the root of some system: `/home/…`, `C:/…`."""
    return _ABSOLUTE.match(name) is not None


def stem(name: str) -> str:
    """A path without the ending of a picture, composed: what a picture and what belongs to it have in common."""
    ending = next((end for end in SUFFIXES if name.lower().endswith(end)), "")
    return composed(name[: len(name) - len(ending)])


def without_ending(name: str) -> str:
    """A path without its last ending, composed."""
    return str(PurePosixPath(composed(name)).with_suffix(""))


def by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    """The pictures of every stem; several differ in their ending alone."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(stem(name), []).append(name)
    return found


def on_disk(root: Path, relative: str) -> str | None:
    """How the disk writes a path below a folder that a list writes in other Unicode characters, or None."""
    here, found = root, []
    for part in relative.split("/"):
        try:
            name = next((one.name for one in here.iterdir() if composed(one.name) == composed(part)), None)
        except OSError:
            return None
        if name is None:
            return None
        here /= name
        found.append(name)
    return "/".join(found)


@dataclass(frozen=True, slots=True)
class Matches:
    """Which entry is whose.

    Attributes:
        of: Picture -> its entry.
        orphans: Entries of no picture.
        twice: Entries of a picture that has one already, each with that one.
        moved: How many entries are absolute paths, whose end names a picture.
    """

    of: Mapping[str, str]
    orphans: Sequence[str]
    twice: Sequence[str]
    moved: int


def matches(entries: Iterable[str], pictures: Sequence[str]) -> Matches:
    """Find the pictures that entries mean.

    An entry is the path of a picture, with or without its ending. An absolute path, as kohya's scripts write them,
    means the picture that its end names, wherever the folder lies now; the longest such end counts.

    Args:
        entries: Names as `entry_name` gives them.
        pictures: Paths of pictures relative to their folder.
    """
    exact = {composed(name): name for name in pictures}
    stems = by_stem(pictures)

    def named(name: str) -> list[str]:
        return [exact[name]] if name in exact else stems.get(name, [])

    found: dict[str, tuple[int, str]] = {}
    used: set[str] = set()
    twice: list[str] = []
    moved = 0
    every = list(entries)
    for entry in every:
        meant = named(entry)
        if not meant and is_absolute(entry):
            ends = (entry.split("/", at)[at] for at in range(1, entry.count("/") + 1))
            meant = next(filter(None, map(named, ends)), [])
            moved += bool(meant)
        for picture in meant:
            worth = 2 * (entry.endswith(composed(picture))) + (not is_absolute(entry))
            before = found.get(picture)
            if before is not None and before[0] == worth:
                twice.append(f"{entry} ({picture} is {before[1]} already)")
            if before is None or before[0] < worth:
                found[picture] = worth, entry
    used = {entry for _, entry in found.values()}
    doubled = {text.partition(" (")[0] for text in twice}
    orphans = [entry for entry in every if entry not in used and entry not in doubled]
    return Matches({picture: entry for picture, (_, entry) in found.items()}, orphans, twice, moved)
