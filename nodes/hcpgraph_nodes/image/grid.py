"""`image.grid`: many pictures on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from hcpgraph import Context, GraphError, Many, node
from hcpgraph.widgets import Slider

from ..types import Captions, Images
from .color import HexColor, rgb
from .fonts import font_for
from .pixels import from_pixels, to_pixels
from .wrap import wrapped

if TYPE_CHECKING:
    from PIL import ImageDraw

    from .fonts import Font

CAPTION_LINES = 3
TITLE_LINES = 2


@node("image.grid")
def grid(
    ctx: Context,
    images: Many[Images],
    captions: Captions | None = None,
    *,
    columns: Annotated[int, Field(ge=0, le=256)] = 0,
    row_titles: list[str] = [],  # noqa: B006 - a default of the schema, never changed
    padding: Annotated[int, Field(ge=0, le=256), Slider(step=1)] = 8,
    upscale: Annotated[int, Field(ge=1, le=16), Slider(step=1)] = 1,
    font_size: Annotated[int, Field(ge=6, le=96), Slider(step=1)] = 14,
    background: HexColor = "#ffffff",
) -> Images:
    """Arrange pictures in rows and columns on one picture.

    Pictures may differ in size: every cell is as large as the largest one. Values that are not finite stay that way.

    Args:
        images: The pictures; every wire is a row, unless `columns` is set.
        captions: Texts below the pictures: one a picture, or one a column, which then stands below the last row;
            a single one counts for every column.
        columns: Pictures a row, whatever wire they come from; 0 makes every wire a row.
        row_titles: Texts above the rows, in order; an empty text leaves its row without one.
        padding: Space around every picture in pixels.
        upscale: Enlarges every picture by a whole factor without smoothing, for tiny pictures.
        font_size: Height of the letters in pixels.
        background: Colour between the pictures, `#rrggbb`; letters are black or white, whichever is easier to read.

    Returns:
        out: One picture (1, 3, H, W), float32 in [0, 1].

    Raises:
        GraphError: E_GRID, no pictures, or captions or titles that match neither pictures nor columns nor rows; E_FONT.
    """
    from PIL import Image, ImageDraw

    rows = [to_pixels(wire) for wire in images]
    holes = [hole for wire in images for hole in (~wire.data.isfinite()).any(dim=1).cpu()]
    if columns:
        flat = [picture for row in rows for picture in row]
        rows = [flat[i : i + columns] for i in range(0, len(flat), columns)]
    rows = [row for row in rows if row]
    if not rows:
        raise GraphError("E_GRID", "there are no pictures to arrange", hint="connect pictures to images")
    labels = _labels(rows, captions)
    if len(row_titles) > len(rows):
        raise GraphError("E_GRID", f"{len(row_titles)} row_titles for {len(rows)} rows", hint="give one a row")
    titles = [*row_titles, *[""] * (len(rows) - len(row_titles))]

    cell_w = upscale * max(picture.shape[1] for row in rows for picture in row)
    cell_h = upscale * max(picture.shape[0] for row in rows for picture in row)
    step_x = cell_w + padding
    width = step_x * max(map(len, rows)) + padding
    font = font_for(ctx, [*titles, *(text for row in labels for text in row)])(font_size)
    line = round(font_size * 1.3)
    color = rgb(background)
    ink = (0, 0, 0) if 299 * color[0] + 587 * color[1] + 114 * color[2] > 127_500 else (255, 255, 255)

    titled = [wrapped(text, font, width - 2 * padding, TITLE_LINES) for text in titles]
    below = [[wrapped(text, font, cell_w, CAPTION_LINES) for text in row] for row in labels]
    heights = [
        padding + cell_h + line * len(above) + line * max(map(len, texts), default=0) + (padding // 2 if above else 0)
        for above, texts in zip(titled, below, strict=True)
    ]
    canvas = Image.new("RGB", (width, sum(heights) + padding), color)
    draw = ImageDraw.Draw(canvas)
    missing = torch.zeros(canvas.height, canvas.width, dtype=torch.bool)
    number, y = 0, 0
    for row, above, texts, height in zip(rows, titled, below, heights, strict=True):
        top = y + padding
        _lines(draw, above, padding, top, line, font, ink)
        top += line * len(above) + (padding // 2 if above else 0)
        for column, picture in enumerate(row):
            large = picture.repeat(upscale, 0).repeat(upscale, 1)
            x = padding + column * step_x + (cell_w - large.shape[1]) // 2
            into = top + (cell_h - large.shape[0]) // 2
            canvas.paste(Image.fromarray(large), (x, into))
            hole = holes[number].repeat_interleave(upscale, 0).repeat_interleave(upscale, 1)
            missing[into : into + large.shape[0], x : x + large.shape[1]] = hole
            number += 1
        for column, lines in enumerate(texts):
            _lines(draw, lines, padding + column * step_x, top + cell_h + 2, line, font, ink, cell_w)
        y += height
    made = from_pixels([np.asarray(canvas)])
    made.data[:, :, missing] = torch.nan
    return made


def _labels(rows: list[list[np.ndarray]], captions: Captions | None) -> list[list[str]]:
    """One text a picture of every row; rows without captions have an empty list."""
    if captions is None:
        return [[] for _ in rows]
    texts = list(captions.texts)
    if len(texts) == 1:
        texts *= max(map(len, rows))
    if len(texts) == sum(map(len, rows)):
        return [[texts.pop(0) for _ in row] for row in rows]
    if len(texts) == max(map(len, rows)):
        return [*([] for _ in rows[1:]), texts]
    raise GraphError(
        "E_GRID",
        f"{len(texts)} captions for {sum(map(len, rows))} pictures in {max(map(len, rows))} columns",
        hint="give one a picture or one a column",
    )


def _lines(
    draw: ImageDraw.ImageDraw,
    lines: list[str],
    x: int,
    y: int,
    line: int,
    font: Font,
    ink: tuple[int, int, int],
    center: int = 0,
) -> None:
    for i, text in enumerate(lines):
        shift = max(0, (center - draw.textlength(text, font=font)) / 2) if center else 0
        draw.text((x + shift, y + i * line), text, fill=ink, font=font)
