"""Which language texts for people are in."""

from __future__ import annotations

import locale
import os
from collections.abc import Iterable

ENGLISH = "en"


def chosen_language(asked: str | None, known: Iterable[str]) -> str:
    """The language that is asked for, else that of the user's locale; English where it is none of the known ones."""
    wanted = asked or os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or ENGLISH
    wanted = wanted.partition(".")[0].replace("_", "-").lower()
    names = list(known)
    exact = next((name for name in names if name.lower() == wanted), None)
    main = wanted.partition("-")[0]
    return exact or next((name for name in names if name.lower().partition("-")[0] == main), ENGLISH)
