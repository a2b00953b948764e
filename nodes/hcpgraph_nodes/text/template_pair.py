"""`text.template_pair`: a positive and a negative prompt from one template."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import PathPicker, TextArea

from ..types import Captions
from .fill import fill
from .templates import drawn, lines


class Pair(NamedTuple):
    """A prompt for each of the two sides of guidance."""

    positive: Captions
    negative: Captions


@node("text.template_pair", effects=("random", "read"))
def template_pair(
    ctx: Context,
    captions: Captions,
    *,
    templates: Annotated[list[str], Field(min_length=1, max_length=4096), TextArea(primary=True)] = ["{caption}"],  # noqa: B006
    file: Annotated[str | None, PathPicker(kind_of="file", suffixes=(".txt",))] = None,
    words: dict[str, str] = {},  # noqa: B006 - a default of the schema, never changed
    negative_words: dict[str, str] = {},  # noqa: B006
) -> Pair:
    """Put every caption into a sentence twice: with the positive words and with the negative ones.

    This is how DreamArtist gets its prompts (Dong et al., "DreamArtist", 2022): with the word `pt1`
    written "my-cat" and its negative "my-cat-neg" the sentence "a photo of {pt1}" becomes "a photo of my-cat" and
    "a photo of my-cat-neg". Both sides have the same sentence. In all else this is text.template.

    Args:
        captions: B captions.
        templates: The sentences.
        file: A text file with one sentence a line instead of the list. Empty lines and lines that begin with `#` are
            left out.
        words: Word names and what is written for them. They come before those of the sample.
        negative_words: What is written for some of them on the negative side instead.

    Returns:
        positive: The captions with the positive words.
        negative: The captions with the negative words.

    Raises:
        GraphError: E_SLOT (a slot of any sentence has no value), E_TEMPLATE (list and file are both set), E_TEXT_FILE,
            E_NOT_FOUND.
    """
    sides = words, {**words, **negative_words}
    sentences = list(drawn(ctx, captions, lines(ctx, templates, file), words))
    positive, negative = (
        replace(captions, texts=tuple(fill(line, {**own, **side}) for line, own in sentences)) for side in sides
    )
    return Pair(positive, negative)
