"""`text.template`: captions put into sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import PathPicker, TextArea

from ..types import Captions
from .fill import fill
from .templates import drawn, lines


@node("text.template", effects=("random", "read"))
def template(
    ctx: Context,
    captions: Captions,
    *,
    templates: Annotated[list[str], Field(min_length=1, max_length=4096), TextArea(primary=True)] = ["{caption}"],  # noqa: B006
    file: Annotated[str | None, PathPicker(kind_of="file", suffixes=(".txt",))] = None,
    words: dict[str, str] = {},  # noqa: B006 - a default of the schema, never changed
) -> Captions:
    """Put every caption into a sentence drawn at random from a list or a file.

    The slot `{caption}` takes the caption, other slots take words by name: those of `words`, else those that the sample
    brought along, such as the columns of a list file or the class of a folder. "a photo of {pt1}, {caption}" with
    `{"pt1": "my-cat"}` is how an embedding gets its prompts (HCP-Diffusion's prompt templates). Slots inside a caption
    are left as they are. Which sentence a caption gets depends on its sample key; captions without keys are told apart
    by their position.

    Args:
        captions: B captions.
        templates: The sentences.
        file: A text file with one sentence a line instead of the list, such as `data:templates.txt` or
            `builtin:templates/object.txt`. Empty lines and lines that begin with `#` are left out.
        words: Word names and what is written for them; they come before those of the sample.

    Raises:
        GraphError: E_SLOT (a slot of any sentence has no value), E_TEMPLATE (list and file are both set), E_TEXT_FILE,
            E_NOT_FOUND.
    """
    sentences = drawn(ctx, captions, lines(ctx, templates, file), words)
    return replace(captions, texts=tuple(fill(line, {**own, **words}) for line, own in sentences))
