"""`text.pick_line`: one of several captions of a picture."""

from __future__ import annotations

from random import Random

from hcpgraph import Context, node

from ..types import Captions
from .draws import change, one_of
from .tags import Separator, split


@node("text.pick_line", effects="random")
def pick_line(ctx: Context, captions: Captions, *, separator: Separator = "\n") -> Captions:
    """Take one of the lines of every caption at random: a picture may have several captions.

    Spaces around a line and empty lines are left out; a caption without lines is empty. Which line is taken depends on
    the sample key; captions without keys are told apart by their position.

    Args:
        captions: B captions, each of one or more lines.
        separator: What stands between the captions of a picture: a line break, or any other text such as `|`.
    """
    return change(ctx, captions, lambda text, draw: picked(split(text, separator), draw))


def picked(lines: list[str], draw: Random) -> str:
    """One of the lines, or nothing if there are none."""
    return one_of(lines, draw) if lines else ""
