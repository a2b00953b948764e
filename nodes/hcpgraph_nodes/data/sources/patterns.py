"""Texts and `re:` patterns that names are compared with, within a time limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from hcpgraph import GraphError

from ... import regexes

SECONDS = 5.0
"""All patterns together may take this long over all names."""


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name contains one of the texts (any case) or matches one of the `re:` patterns anywhere.

    Raises:
        GraphError: E_PATTERN, not a regular expression; also raised by the result if the patterns take longer than 5 s.
    """
    texts = [p.lower() for p in patterns if not p.startswith("re:")]
    try:
        compiled = [regexes.compiled(p[3:], ignore_case=True) for p in patterns if p.startswith("re:")]
    except regexes.BadPattern as error:
        raise GraphError("E_PATTERN", f"a pattern {error}", hint="correct it") from None

    left = SECONDS

    def search(pattern: Any, name: str) -> bool:
        nonlocal left
        start = monotonic()
        found = pattern.search(name, timeout=max(left, 1e-3)) is not None
        left -= monotonic() - start
        return found

    def matches(name: str) -> bool:
        lower = name.lower()
        try:
            return any(text in lower for text in texts) or any(search(pattern, name) for pattern in compiled)
        except TimeoutError:
            raise GraphError("E_PATTERN", "the patterns take too long to match", hint="write simpler ones") from None

    return matches
