"""A caption as a list of tags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Separator = Annotated[str, Field(min_length=1, max_length=16)]


def mark(separator: str) -> str:
    """What tags are cut at: the separator without the spaces around it, unless it is nothing but spaces."""
    return separator.strip() or separator


def split(text: str, separator: str) -> list[str]:
    """The tags of a caption, without the spaces around them; empty tags are left out."""
    return [tag for part in text.split(mark(separator)) if (tag := part.strip())]
