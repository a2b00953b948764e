"""`text.prompt`: texts as captions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Prompt

from ..types import Captions


@node("text.prompt")
def prompt(
    *,
    texts: Annotated[list[str], Field(min_length=1, max_length=4096), Prompt(primary=True)] = [""],  # noqa: B006
    repeat: Annotated[int, Field(ge=1, le=4096)] = 1,
) -> Captions:
    """Prompts, one a picture.

    Args:
        texts: The prompts.
        repeat: How many times each is used, one after the other: a, a, b, b for 2.

    Returns:
        out: As many captions as texts times `repeat`.
    """
    return Captions(tuple(text for text in texts for _ in range(repeat)))
