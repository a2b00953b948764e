"""What files of words call text networks: as ComfyUI does."""

from __future__ import annotations

from ..adapter_files.names import longest
from ..families.registry import family
from ..families.table import families
from .block import Word, WordBlock


def of_family(name: str) -> tuple[str, ...]:
    """The text networks of a family."""
    return tuple(each.comfy for each in family(name).text_spellings({}).values() if each.comfy)


def known() -> frozenset[str]:
    """The text networks of all families."""
    return frozenset(network for name in families() for network in of_family(name))


def of_word(word: Word) -> tuple[str, ...]:
    """The text networks that a word has vectors in, in their order."""
    spelled = family(word.family).text_spellings({})
    blocks = word.plugin.blocks.items()
    return tuple(longest(spelled, path)[1].comfy for path, block in blocks if isinstance(block, WordBlock))
