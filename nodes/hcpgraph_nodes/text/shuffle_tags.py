"""`text.shuffle_tags`: no tag owns a place."""

from __future__ import annotations

from random import Random
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Hint, Slider

from ..types import Captions
from .draws import change, permuted
from .tags import Separator, check_separators, fixed, split


@node("text.shuffle_tags", effects="random")
def shuffle_tags(
    ctx: Context,
    captions: Captions,
    *,
    separator: Separator = ", ",
    keep_first: Annotated[int, Field(ge=0, le=10_000), Hint(primary=True)] = 0,
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
    group_separator: Annotated[str, Field(max_length=16)] = "",
    keep_separator: Annotated[str, Field(max_length=16), Hint(advanced=True)] = "",
) -> Captions:
    """Shuffle the tags of captions anew for every sample and epoch, so that the order of tags means nothing.

    Tags are cut at the separator without the spaces around it, and joined by the separator as it is written: ", "
    reads "a,b , c" and writes "c, a, b"; empty tags are left out. Every order is equally likely. It depends on the
    sample key; captions without keys are told apart by their position.

    Args:
        captions: B captions, each a list of tags.
        separator: What stands between tags.
        keep_first: How many tags at the front keep their place, such as a trigger word.
        probability: Probability that a caption is shuffled; the others stay as they are.
        group_separator: What joins tags that stay together, such as `;;;`: "red hair;;;long hair, smile" is shuffled as
            two tags and written as three. Empty: no groups.
        keep_separator: What stands once or twice in a caption, such as `|||`: tags before the first one and behind the
            second keep their place, whatever `keep_first` says, and the marks go. Empty: no such marks.

    Raises:
        GraphError: E_SEPARATOR, one separator is part of another.
    """
    check_separators(separator, group_separator=group_separator, keep_separator=keep_separator)

    def shuffled(text: str, draw: Random) -> str:
        taken = draw.random() < probability
        parts = fixed(text, separator, keep_separator)
        if not taken and parts is None and not (group_separator and group_separator in text):
            return text
        tags = split(text, separator)
        front, middle, back = parts or (tags[:keep_first], tags[keep_first:], [])
        tags = front + (permuted(middle, draw) if taken else middle) + back
        if group_separator:
            tags = [tag for group in tags for tag in split(group, group_separator)]
        return separator.join(tags)

    return change(ctx, captions, shuffled)
