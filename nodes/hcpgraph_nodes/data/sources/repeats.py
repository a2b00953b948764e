"""How many times pictures count by the names of their folders, as kohya's scripts have it: `10_cat`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

FolderRepeats = Literal["auto", "always", "never"]
MOST_BY_ITSELF = 200
"""From here on `auto` takes the number in front of a name for a year or the like."""
_NAMED = re.compile(r"(\d{1,4})_(.+)", re.DOTALL)


def named(folder: str) -> tuple[int, str] | None:
    """(repeats, name) of a folder `10_cat`, or None."""
    found = _NAMED.fullmatch(folder)
    return (int(found[1]), found[2]) if found else None


def repeats_of(folders: Iterable[str], mode: FolderRepeats) -> dict[str, int]:
    """How many times the pictures of each folder count; empty where folder names mean nothing.

    Args:
        folders: The folders directly below the data set's; an empty name stands for pictures that lie in none.
        mode: `always` reads every name of the form `10_cat`; `auto` only if all are and no number is above 200; `never`
            reads none.
    """
    every = set(folders)
    found = {folder: pair[0] for folder in every if (pair := named(folder)) is not None}
    sure = len(found) == len(every) and all(1 <= number <= MOST_BY_ITSELF for number in found.values())
    return found if mode == "always" or (mode == "auto" and sure) else {}
