"""One picture file -> RGB uint8, upright, over a background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hcpgraph.errors import GraphError

from .color import RGB

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")


def read_picture(path: str | Path, background: RGB = (255, 255, 255)) -> np.ndarray:
    """The picture (H, W, 3), uint8: EXIF orientation applied, transparency composed over `background`.

    The format is told by the content, not by the suffix. 16-bit grey keeps its upper 8 bits, 32-bit float is taken
    as [0, 1], CMYK and palettes are converted, an animation gives its first frame. Colour profiles are not applied.

    Raises:
        GraphError: E_PICTURE, the file cannot be decoded as a whole.
    """
    try:
        with _open(path) as image:
            turn = orientation(image)
            image.load()
            return np.array(_upright(_to_rgb(image, background), turn))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        raise GraphError(
            "E_PICTURE", f"'{Path(path).name}' cannot be read: {reason(error, path)}", hint="replace or remove the file"
        ) from error


def check_picture(path: str | Path, *, decode: bool) -> tuple[int, int]:
    """(width, height) of the upright picture, from the header.

    With `decode` every byte is read too, at a reduced size where the format allows it (JPEG: 1/8, a fraction of the
    time). Raises whatever Pillow raises.
    """
    with _open(path) as image:
        width, height = image.size
        turned = orientation(image) >= 5
        if decode:
            image.draft("RGB", (1, 1))
            image.load()
        return (height, width) if turned else (width, height)


def reason(error: Exception, path: str | Path) -> str:
    """Pillow's message without the path, which may be absolute."""
    return str(error).replace(str(path), Path(path).name) or type(error).__name__


def orientation(image: Image.Image) -> int:
    """EXIF orientation 1 … 8 as the header tells it.

    Pillow turns TIFF itself. A PNG whose eXIf chunk stands after its pixels counts as upright: looking for the chunk
    would decode the whole file.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1


def _open(path: str | Path) -> Image.Image:
    from PIL import Image

    return Image.open(path, formats=FORMATS)


def _upright(image: Image.Image, turn: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = (
        None,
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    )
    method = turns[turn - 1]
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image, background: RGB) -> Image.Image:
    from PIL import Image

    if image.mode == "I" or image.mode.startswith("I;16"):
        grey: Any = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        grey = np.clip(np.nan_to_num(np.asarray(image)), 0, 1) * 255
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return image.convert("RGB")
