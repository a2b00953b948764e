"""Texts and `re:` patterns, matched within a time limit: a graph from elsewhere must not hang a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hcpgraph.errors import GraphError

from .. import regexes

SECONDS = 2.0


def compiled(pattern: str) -> Any:
    """A pattern written as `re:…`, compiled.

    Raises:
        GraphError: E_PATTERN.
    """
    try:
        return regexes.compiled(pattern.removeprefix("re:"))
    except regexes.BadPattern as error:
        raise GraphError("E_PATTERN", f"'{pattern}' {error}", hint="correct it") from None


def too_slow(pattern: str) -> GraphError:
    """The error for a pattern that runs out of time."""
    return GraphError(
        "E_PATTERN", f"'{pattern}' takes longer than {SECONDS:g} s", hint="avoid nested repetition such as (a+)+"
    )


@lru_cache(maxsize=64)
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a whole text equals one of the texts or matches one of the `re:` patterns.

    Raises:
        GraphError: E_PATTERN, here for what is no pattern; the returned function raises it for one that is too slow.
    """
    texts = frozenset(text for text in patterns if not text.startswith("re:"))
    regexes = [(text, compiled(text)) for text in patterns if text.startswith("re:")]

    def matches(text: str) -> bool:
        if text in texts:
            return True
        for pattern, found in regexes:
            try:
                if found.fullmatch(text, timeout=SECONDS):
                    return True
            except TimeoutError:
                raise too_slow(pattern) from None
        return False

    return matches


@lru_cache(maxsize=256)
def replacer(pattern: str, replacement: str) -> Callable[[str], str]:
    r"""A function that replaces every match of a `re:` pattern; `\1` is the first group.

    Raises:
        GraphError: E_PATTERN, here for what is no pattern or no replacement; the function raises it for a group
            that the pattern does not have, and if it is too slow.
    """
    import regex

    found = compiled(pattern)

    def replaced(text: str) -> str:
        try:
            return str(found.sub(replacement, text, timeout=SECONDS))
        except TimeoutError:
            raise too_slow(pattern) from None
        except (regex.error, IndexError) as error:
            raise GraphError(
                "E_PATTERN", f"'{replacement}' does not fit '{pattern}': {error}", hint=r"\1 is its first group"
            ) from None

    replaced("")
    return replaced
