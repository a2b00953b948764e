"""`text.drop_tags`: no tag is always there."""

from __future__ import annotations

from random import Random
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Hint, Slider

from ..types import Captions
from .draws import change
from .patterns import matcher
from .tags import Separator, check_separators, fixed, split


@node("text.drop_tags", effects="random")
def drop_tags(
    ctx: Context,
    captions: Captions,
    *,
    rate: Annotated[float, Field(ge=0, le=1), Slider(step=0.01, primary=True)] = 0.1,
    keep_first: Annotated[int, Field(ge=0, le=10_000)] = 0,
    keep: Annotated[list[str], Field(max_length=4096), Hint()] = [],  # noqa: B006
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
    separator: Separator = ", ",
    keep_separator: Annotated[str, Field(max_length=16), Hint(advanced=True)] = "",
) -> Captions:
    """Leave out each tag of a caption with some probability, so that the model learns what single tags mean.

    Tags are cut at the separator without the spaces around it, and joined by the separator as it is written. Each tag
    is drawn by itself, so a caption may lose all of them. What is dropped depends on the sample key and on the tag's
    place; captions without keys are told apart by their position.

    Args:
        captions: B captions, each a list of tags.
        rate: Probability that a tag is dropped.
        keep_first: How many tags at the front are never dropped, such as a trigger word.
        keep: Tags that are never dropped: whole tags as they are written, or `re:` and a regular expression that
            matches a whole tag, such as `re:.* hair`.
        probability: Probability that a caption loses tags at all; the others stay as they are.
        separator: What stands between tags.
        keep_separator: What stands once or twice in a caption, such as `|||`: tags before the first one and behind the
            second are never dropped, whatever `keep_first` says. The marks stay; text.shuffle_tags takes them out.

    Raises:
        GraphError: E_PATTERN, a pattern cannot be read or takes too long; E_SEPARATOR, one separator is part of the
            other.
    """
    check_separators(separator, keep_separator=keep_separator)
    kept = matcher(tuple(keep))

    def dropped(text: str, draw: Random) -> str:
        if draw.random() >= probability:
            return text
        if (parts := fixed(text, separator, keep_separator)) is None:
            tags = enumerate(split(text, separator))
            return separator.join(tag for i, tag in tags if draw.random() >= rate or i < keep_first or kept(tag))
        front, middle, back = parts
        left = [tag for tag in middle if draw.random() >= rate or kept(tag)]
        marks = text.count(keep_separator) > 1
        return f" {keep_separator} ".join(map(separator.join, [front, left, back] if marks else [front, left]))

    return change(ctx, captions, dropped)
