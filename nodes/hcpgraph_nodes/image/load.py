"""`image.load`: a picture file -> pictures on a wire."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import PathPicker

from ..types import Images
from .color import HexColor, rgb
from .pixels import from_pixels
from .read import SUFFIXES, read_picture


@node("image.load", effects="read")
def load(
    ctx: Context,
    *,
    path: Annotated[str, PathPicker(kind_of="file", suffixes=SUFFIXES, primary=True)],
    background: HexColor = "#ffffff",
) -> Images:
    """Load one picture: PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF, with `hcpgraph[pictures]` also HEIC or JPEG XL.

    EXIF orientation is applied; an animation gives its first frame.

    Args:
        path: The file, such as `data:cat.jpg`.
        background: What shows through a transparent picture, `#rrggbb`.

    Returns:
        out: One picture (1, 3, H, W), float32 in [0, 1].

    Raises:
        GraphError: E_NOT_FOUND, E_PICTURE (it cannot be decoded).
    """
    file = ctx.path(path)
    if not file.is_file():
        raise GraphError("E_PICTURE", f"'{path}' is a folder", hint="data.folder reads folders")
    return from_pixels([read_picture(file, rgb(background))])
