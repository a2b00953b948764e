"""The report in words: `texts/<language>.json`, English for what a language leaves out."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from hcpgraph.languages import ENGLISH, chosen_language

FOLDER = Path(__file__).parent / "texts"


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
    return chosen_language(asked, languages())


@lru_cache(maxsize=8)
def _read(language: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts
