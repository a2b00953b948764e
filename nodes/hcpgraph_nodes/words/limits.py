"""What a text encoder does not read of a text, as far as it can be known without its tokenizer. Knows no torch."""

from __future__ import annotations

import re

READ = 75
"""Tokens of a text that the CLIP encoders of released models read."""
SHOWN = 60
_UNIT = re.compile(r"'(?:s|t|re|ve|m|ll|d)(?![^\W\d_])|[^\W\d_]+|\d|(?:[^\w\s]|_)+")
"""What CLIP's tokenizer cuts a text into before anything else; each is one token or more."""
_WEIGHT = re.compile(
    r"(?<!\\)\([^()\\]*:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|(?<!\\)\(\([^()]+\)\)|\{[^{}|:]+:\s*(?:\d+\.?\d*|\.\d+)\}"
)


def at_least(text: str) -> int:
    """A number of tokens that a text has at least for CLIP."""
    return sum(1 for _ in _UNIT.finditer(text))


def lost(text: str, read: int = READ) -> str:
    """What stands behind the first tokens, where a text has more pieces than that; else nothing."""
    for number, piece in enumerate(_UNIT.finditer(text)):
        if number == read:
            return text[piece.start() :].strip()
    return ""


def weighted(text: str) -> list[str]:
    """Pieces that other programs read as a word and its weight: `(word:1.2)`, `((word))`, `{word:1.2}`."""
    return [found[0] for found in _WEIGHT.finditer(text)]


def shown(text: str) -> str:
    """A text short enough for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
