"""Regular expressions of a stranger's file: what compiling may cost is known before it begins.

`regex` matches within a time limit but compiles without one, and writes counted repetitions out:
`(?:(?:a{1000}){1000}){1000}` asks for hundreds of gigabytes. So the size of what would be written out is counted first.
What would make that count wrong, because a parenthesis means something else there, is refused: sets inside of sets,
comments, the flags x and V1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

LONGEST, DEEPEST, LARGEST = 4_000, 40, 20_000
"""Characters of a pattern, groups inside each other, and single pieces that it may be written out to."""
COUNTED = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")
FLAGS = re.compile(r"\(\?[a-zA-Z0-9]*[xV]")


class BadPattern(ValueError):
    """A pattern that cannot be read, or is too large; the message says which."""


@lru_cache(maxsize=256)
def compiled(pattern: str, *, ignore_case: bool = False) -> Any:
    """The pattern, compiled by `regex`; give every call of it a timeout.

    Raises:
        BadPattern: it is no regular expression, or would take too long to compile.
    """
    import regex

    if written_out(pattern) > LARGEST:
        raise BadPattern(f"is too large: its repetitions make more than {LARGEST:,} pieces")
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except Exception as error:  # a damaged pattern leads the parser to errors of many kinds
        raise BadPattern(f"is no regular expression: {str(error) or type(error).__name__}") from None


def written_out(pattern: str) -> int:
    """How many pieces a pattern has with its counted repetitions written out.

    Raises:
        BadPattern: it is too long or too deep, or cannot be counted.
    """
    if len(pattern) > LONGEST:
        raise BadPattern(f"is too long: {len(pattern):,} of {LONGEST:,} characters")
    groups, last, at = [0], 0, 0
    while at < len(pattern):
        sign = pattern[at]
        counted = COUNTED.match(pattern, at) if sign == "{" else None
        if counted and (counted[1] or counted[2]):
            times = max(int(number[:9]) for number in counted.groups() if number)
            groups[-1] += last * (times - 1)
            last *= times
            at = counted.end()
            continue
        if sign == "(":
            _refuse_unreadable(pattern, at)
            if len(groups) > DEEPEST:
                raise BadPattern(f"has more than {DEEPEST} groups inside each other")
            groups.append(0)
            at += 1
            continue
        if sign == ")":
            if len(groups) == 1:
                raise BadPattern("is no regular expression: a ) without its (")
            last = groups.pop() + 1
        else:
            last = 1
            at = _end_of_set(pattern, at) if sign == "[" else at + (sign == "\\")
        groups[-1] += last
        at += 1
    if len(groups) > 1:
        raise BadPattern("is no regular expression: a ( without its )")
    return groups[0]


def _refuse_unreadable(pattern: str, at: int) -> None:
    if pattern.startswith("(?#", at) or FLAGS.match(pattern, at):
        raise BadPattern("has a comment or the flag x or V, which are not read here")


def _end_of_set(pattern: str, at: int) -> int:
    """Where the `]` of a set stands."""
    first = at = at + 1 + pattern.startswith("^", at + 1)
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[" or (pattern[at] == "]" and at == first):
            raise BadPattern(r"has a bracket in a set: write \[ or \]")
        elif pattern[at] == "]":
            return at
        at += 1
    raise BadPattern("is no regular expression: a [ without its ]")
