"""`text.affix`: the same words in front of and behind all captions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Hint

from ..types import Captions

Between = Annotated[str, Field(max_length=16), Hint(advanced=True)]


@node("text.affix")
def affix(
    captions: Captions,
    *,
    prefix: Annotated[str, Field(max_length=10_000), Hint(primary=True)] = "",
    suffix: Annotated[str, Field(max_length=10_000)] = "",
    on_empty: Literal["skip", "add"] = "skip",
    prefix_separator: Between = ", ",
    suffix_separator: Between = ", ",
) -> Captions:
    """Put a text in front of every caption, behind it, or both.

    Args:
        captions: B captions.
        prefix: What is put in front, such as a trigger word.
        suffix: What is put behind.
        on_empty: What becomes of a caption without text: it stays empty, which is what data.caption_dropout means by
            it, or it becomes prefix and suffix alone.
        prefix_separator: What stands between prefix and caption.
        suffix_separator: What stands between caption and suffix.
    """

    def added(text: str) -> str:
        if not text.strip():
            if on_empty == "skip":
                return text
            text = ""
        if prefix:
            text = prefix_separator.join((prefix, text)) if text else prefix
        if suffix:
            text = suffix_separator.join((text, suffix)) if text else suffix
        return text

    return replace(captions, texts=tuple(map(added, captions.texts)))
