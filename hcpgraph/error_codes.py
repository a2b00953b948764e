"""What error codes mean and what to do about them: `error_codes.toml` of the engine and of the packs.

Every table of such a file is a code, with a `meaning` and a `remedy` in each language:

    [E_CYCLE]
    meaning.en = "The wires go round in a circle."
    remedy.en = "Take one of the wires out."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import Problem
from .fingerprint import stamp
from .languages import ENGLISH

FILE = "error_codes.toml"
ENGINE = Path(__file__).parent
PARTS = ("meaning", "remedy")


@dataclass(frozen=True)
class ErrorCode:
    """One code in one language."""

    code: str
    meaning: str
    remedy: str


@dataclass(frozen=True)
class _Table:
    """What a file says: code -> part -> language -> text; and what is wrong with it."""

    codes: Mapping[str, Mapping[str, Mapping[str, str]]]
    problems: tuple[Problem, ...] = ()


def error_codes(folders: Iterable[Path], language: str = ENGLISH) -> tuple[dict[str, ErrorCode], list[Problem]]:
    """The codes of the engine and of packs, English where a text is in no other language; the first one wins.

    Args:
        folders: Of packs, with or without a table.
        language: Such as `zh-CN`.

    Returns:
        The codes by name, and E_PACK as a warning for every file that cannot be read.
    """
    found: dict[str, ErrorCode] = {}
    problems: list[Problem] = []
    for folder in (ENGINE, *folders):
        table = _table(folder / FILE)
        problems += table.problems
        for code, texts in table.codes.items():
            meaning, remedy = (texts[part].get(language, texts[part][ENGLISH]) for part in PARTS)
            found.setdefault(code, ErrorCode(code, meaning, remedy))
    return found, problems


def languages(folder: Path = ENGINE) -> list[str]:
    """The languages that a table has texts in."""
    codes = _table(folder / FILE).codes.values()
    return sorted({language for texts in codes for part in PARTS for language in texts[part]})


def _table(path: Path) -> _Table:
    try:
        return _read(path, stamp(path))
    except OSError:
        return _Table({})


@lru_cache(maxsize=16)
def _read(path: Path, stamped: str) -> _Table:
    """Read a file, once for a stamp, so that an edited one is read again."""
    try:
        codes = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return _Table({}, (_problem(path, str(error)),))
    good = {code: texts for code, texts in codes.items() if _is_entry(texts)}
    wrong = [_problem(path, f"{code} needs meaning.en and remedy.en") for code in codes if code not in good]
    return _Table(good, tuple(wrong))


def _is_entry(texts: object) -> bool:
    if not isinstance(texts, dict) or set(texts) != set(PARTS):
        return False
    return all(
        isinstance(said, dict) and ENGLISH in said and all(isinstance(text, str) for text in said.values())
        for said in texts.values()
    )


def _problem(path: Path, reason: str) -> Problem:
    hint = "its error codes are not explained until it is mended"
    return Problem("E_PACK", f"the table {path}: {reason}", hint=hint, severity="warning")
