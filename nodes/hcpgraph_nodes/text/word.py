"""`text.word`: a word of every sample as its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import node
from hcpgraph.errors import GraphError, did_you_mean
from hcpgraph.widgets import Hint

from ..types import Captions


@node("text.word")
def word(
    captions: Captions,
    *,
    name: Annotated[str, Field(min_length=1, max_length=200), Hint(primary=True)],
    on_missing: Literal["error", "empty", "keep"] = "error",
) -> Captions:
    """Take a word that samples brought along, such as a column of a list file, as their caption.

    A list file with columns for a description and for tags thus gives two branches: shuffle the tags alone and put
    both together with text.join.

    Args:
        captions: B captions.
        name: The word: a column of a list file, or `class` of a class folder.
        on_missing: What a sample without it gets: stop, no text, or its caption as it is.

    Raises:
        GraphError: E_WORD, samples lack the word.
    """
    own: Sequence[Mapping[str, str]] = captions.words if captions.words is not None else [{}] * len(captions.texts)
    missing = sum(name not in values for values in own)
    if missing and on_missing == "error":
        known = {each for values in own for each in values}
        raise GraphError(
            "E_WORD",
            f"{missing} of {len(own)} samples have no word '{name}'",
            hint=did_you_mean(name, known, "words of samples") if name not in known else "set on_missing",
        )
    texts = zip(captions.texts, own, strict=True)
    return replace(
        captions, texts=tuple(values.get(name, text if on_missing == "keep" else "") for text, values in texts)
    )
