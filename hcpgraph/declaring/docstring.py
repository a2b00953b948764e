"""Docstrings of nodes: the first line is the tooltip, `Args:`, `Returns:` and `Body:` hold a line of help a name."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Doc:
    """What a docstring tells: tooltip, help panel, and one line of help a name in each section."""

    first: str
    text: str
    args: Mapping[str, str]
    returns: Mapping[str, str]
    body: Mapping[str, str]


_SECTION = re.compile(r"^(Args|Returns|Body|Raises):\s*$", re.MULTILINE)
_ITEM = re.compile(r"^(\w+)(?: \([^)]*\))?: ?(.*)$")


def read(text: str) -> Doc:
    """Read a docstring with the sections Args, Returns, Body and Raises."""
    pieces = _SECTION.split(text)
    first, _, rest = pieces[0].partition("\n")
    sections = {pieces[i]: _items(pieces[i + 1]) for i in range(1, len(pieces) - 1, 2)}
    return Doc(
        first.strip(),
        rest.strip(),
        sections.get("Args", {}),
        sections.get("Returns", {}),
        sections.get("Body", {}),
    )


def _items(block: str) -> dict[str, str]:
    items: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in textwrap.dedent(block.strip("\n")).splitlines():
        match = _ITEM.match(line)
        if match and not line.startswith(" "):
            lines = items.setdefault(match[1], [match[2]])
        elif lines:
            lines.append(line.strip())
    return {name: " ".join(part for part in parts if part).strip() for name, parts in items.items()}
