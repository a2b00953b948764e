"""What went wrong, where, and what to do about it: the only exceptions this package raises on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

Severity = Literal["error", "warning"]
LONGEST = 2_000
"""Characters of a message or a remedy; what a stranger's file puts into one may be as long as the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a graph or a run: a stable code, the place, the facts and the remedy."""

    code: str
    message: str
    node: str | None = None
    port: str | None = None
    hint: str | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", visible(self.message, LONGEST))
        if self.hint is not None:
            object.__setattr__(self, "hint", visible(self.hint, LONGEST))

    @property
    def where(self) -> str:
        """`node.port`, `node` or an empty string."""
        return ".".join(part for part in (self.node, self.port) if part)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        place = f"{visible(self.where)}: " if self.where else ""
        remedy = f"\n    -> {self.hint}" if self.hint else ""
        return f"{self.code} {place}{self.message}{remedy}"


def visible(text: str, longest: int | None = None) -> str:
    """Text of a stranger without what changes how the text around it is shown, and not longer than that.

    Control characters, invisible ones and those that turn the direction of writing become `\\u202e`; lines stay lines.
    """
    if longest is not None and len(text) > longest:
        text = f"{text[:longest]} … ({len(text) - longest:,} more characters)"
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char in _KEPT else _escaped(char) for char in text)


HIDDEN = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
"""Control characters, and those that turn the direction of what stands around them: no name needs one."""
_HIDDEN = re.compile(rf"[\t\n\r{HIDDEN}]")
_KEPT = "\n\t\u00a0\u3000\u200d"
"""Printed as they are: the end of a line, the spaces of French and Chinese, and what joins the parts of an emoji."""


def hidden(name: str) -> bool:
    """Whether a name has a character that is not seen but changes what is."""
    return _HIDDEN.search(name) is not None


def bounded(problems: Iterable[Problem], most: int, *, node: str | None = None) -> list[Problem]:
    """Problems as they are, or of very many the first, errors before warnings, and one that counts the others."""
    found = list(problems)
    if len(found) <= most:
        return found
    found.sort(key=lambda problem: problem.severity != "error")
    left = found[most].severity
    return [*found[:most], Problem("E_MORE", f"and {len(found) - most:,} more problems", node, severity=left)]


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


class Failure(Exception):
    """What is raised on purpose: one problem (`GraphError`), or all that were found (`GraphErrors`)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class GraphError(Failure):
    """One problem, raised.

    A node body raises it with a code, a message and a hint; the engine adds which node it was.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        node: str | None = None,
        port: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = Problem(code, message, node, port, hint)
        super().__init__([self.problem])


class GraphErrors(Failure):
    """A graph, a file or a call that cannot be run; carries every problem that was found (exit code 2)."""

    @classmethod
    def one(
        cls,
        code: str,
        message: str,
        *,
        node: str | None = None,
        port: str | None = None,
        hint: str | None = None,
    ) -> GraphErrors:
        return cls([Problem(code, message, node, port, hint)])


class SpecError(Exception):
    """A node or a port type is declared wrongly; raised while its module is imported."""


class Cancelled(Exception):
    """The run was asked to stop; raised by `ctx.check()` at the next safe place."""


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None."""
    return _closest(word, tuple(known))


@lru_cache(maxsize=256)
def _closest(word: str, known: tuple[str, ...]) -> str | None:
    """Remembered: a mistake that is made in one node of a graph is often made in thousands."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """The remedy for an unknown name: the closest one, or the whole (shortened) list."""
    names = sorted(known)
    close = suggest(word, names)
    if close:
        return f"did you mean '{close}'?"
    if not names:
        return f"there are no {what} here"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"{what}: {shown}"


SHOWN = 20
"""Items that a message lists."""


def listed(items: Iterable[str], separator: str = ", ", *, shown: int = SHOWN) -> str:
    """The first of the items, and how many more there are."""
    every = list(items)
    more = f" … and {len(every) - shown} more" if len(every) > shown else ""
    return separator.join(every[:shown]) + more
