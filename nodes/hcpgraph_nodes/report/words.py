"""The report in words: `texts/<language>.json`, English for what a language leaves out."""

from __future__ import annotations

import json
import locale
import os
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
ENGLISH = "en"


class Texts:
    """Texts of one language by key; call it with a key and values for the slots of the text."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = {**_read(ENGLISH), **_read(language)}

    def __call__(self, key: str, **values: object) -> str:
        return self._texts[key].format(**values)


def languages() -> list[str]:
    """The languages that there are texts in."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def chosen(asked: str | None) -> str:
    """The language that is asked for, else that of the user's locale; English for one without texts."""
    wanted = asked or os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or ENGLISH
    wanted = wanted.partition(".")[0].replace("_", "-").lower()
    known = languages()
    exact = next((name for name in known if name.lower() == wanted), None)
    main = wanted.partition("-")[0]
    return exact or next((name for name in known if name.lower().partition("-")[0] == main), ENGLISH)


@lru_cache(maxsize=8)
def _read(language: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts
