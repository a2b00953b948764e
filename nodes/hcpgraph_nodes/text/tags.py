"""A caption as a list of tags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph.errors import GraphError

Separator = Annotated[str, Field(min_length=1, max_length=16)]


def mark(separator: str) -> str:
    """What tags are cut at: the separator without the spaces around it, unless it is nothing but spaces."""
    return separator.strip() or separator


def fixed(text: str, separator: str, keep: str) -> tuple[list[str], list[str], list[str]] | None:
    """The tags before the first `keep`, those that may change, and those behind a second one; None without any.

    Source: `keep_tokens_separator` of kohya's scripts.
    """
    if not keep or keep not in text:
        return None
    front, middle, back = (*text.split(keep, 2), "")[:3]
    return split(front, separator), split(middle, separator), split(back, separator)


def check_separators(separator: str, **others: str) -> None:
    """Refuse separators that are part of each other.

    Raises:
        GraphError: E_SEPARATOR.
    """
    given = {name: text for name, text in others.items() if text}
    for name, text in given.items():
        if mark(separator) in text:
            raise GraphError(
                "E_SEPARATOR",
                f"tags are cut at '{mark(separator)}', which is part of the {name.replace('_', ' ')} '{text}'",
                port=name,
                hint=f"take another {name.replace('_', ' ')}, such as {';;;' if name == 'group_separator' else '|||'}",
            )
        if any(text in other for key, other in given.items() if key != name):
            raise GraphError(
                "E_SEPARATOR",
                f"the {name.replace('_', ' ')} '{text}' is part of another one",
                port=name,
                hint="change one",
            )


def split(text: str, separator: str) -> list[str]:
    """The tags of a caption, without the spaces around them; empty tags are left out."""
    return [tag for part in text.split(mark(separator)) if (tag := part.strip())]
