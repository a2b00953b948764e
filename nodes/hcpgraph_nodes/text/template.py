"""`text.template`: captions put into sentences."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import TextArea

from ..types import Captions
from .fill import fill


@node("text.template", effects="random")
def template(
    ctx: Context,
    captions: Captions,
    *,
    templates: Annotated[list[str], Field(min_length=1, max_length=4096), TextArea(primary=True)] = ["{caption}"],  # noqa: B006
    words: dict[str, str] = {},  # noqa: B006 - a default of the schema, never changed
) -> Captions:
    """Put every caption into a sentence drawn at random from a list.

    The slot `{caption}` takes the caption, other slots take words by name: "a photo of {pt1}, {caption}" with
    `{"pt1": "my-cat"}` is how an embedding gets its prompts (HCP-Diffusion's prompt templates). Slots inside a caption
    are left as they are. Which sentence a caption gets depends on its sample key; captions without keys are told apart
    by their position.

    Args:
        captions: B captions.
        templates: The sentences.
        words: Word names and what is written for them.

    Raises:
        GraphError: E_SLOT, a slot that is neither `caption` nor a word name.
    """
    keys = captions.keys if captions.keys is not None else range(len(captions.texts))
    texts = tuple(
        fill(templates[ctx.seed(key) % len(templates)], {**words, "caption": text})
        for text, key in zip(captions.texts, keys, strict=True)
    )
    return Captions(texts, captions.keys)
