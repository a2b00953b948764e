"""A font that has the letters of a text: Pillow's own, or one of the system's for the scripts that it lacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from hcpgraph import Context, GraphError

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

VARIABLE = "HCPGRAPH_FONT"
"""Environment variable: a font file to take instead."""
SYSTEM = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "NotoSansSC-Regular.ttf",
    "SourceHanSansSC-Regular.otf",
    "SourceHanSans-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "simhei.ttf",
    "simsun.ttc",
    "STHeiti Light.ttc",
    "malgun.ttf",
    "YuGothR.ttc",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "segoeui.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
)
"""Files that Pillow looks for in the font folders of Windows, macOS and Linux, those with Chinese first."""
NOWHERE = "\U0010ffff"
"""No font has it, so that its picture is the one of all letters that a font lacks."""
SIZE = 16


def font_for(ctx: Context, texts: Iterable[str]) -> Callable[[float], Font]:
    """The first font that has every letter of the texts, else the one that lacks fewest; then a warning names them.

    Args:
        ctx: The context of the node.
        texts: What will be drawn.

    Returns:
        Gives the font in a size, the height of the letters in pixels.

    Raises:
        GraphError: E_FONT, `HCPGRAPH_FONT` names no font file.
    """
    letters = "".join(sorted({letter for text in texts for letter in text if not letter.isspace()}))
    given = os.environ.get(VARIABLE)
    fewest, best = letters, given
    for name in (given,) if given else (None, *SYSTEM):
        if (lacking := _lacking(name, letters)) is None:
            if given:
                raise GraphError(
                    "E_FONT", f"{VARIABLE} is {given!r}, which is no font file", hint="name a .ttf or .ttc"
                )
            continue
        if len(lacking) < len(fewest) or name is None:
            fewest, best = lacking, name
        if not lacking:
            break
    if fewest:
        ctx.log(
            f"no font here has {fewest[:40]}, which are drawn as boxes: install one, such as Noto Sans CJK, or set "
            f"{VARIABLE} to the file of one",
            level="warning",
        )
    return partial(_opened, best)


def _opened(name: str | None, size: float) -> Font:
    from PIL import ImageFont

    return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)


@lru_cache(maxsize=256)
def _lacking(name: str | None, letters: str) -> str | None:
    """The letters that a font has no picture of; None if there is no such font."""
    try:
        font = _opened(name, SIZE)
    except OSError:
        return None
    box = bytes(font.getmask(NOWHERE))
    return "".join(letter for letter in letters if bytes(font.getmask(letter)) == box)
