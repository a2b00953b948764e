"""One picture file -> RGB uint8, upright, over a background."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hcpgraph.errors import GraphError

from .color import RGB

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
PLUGINS = {"pi_heif": "HEIF", "pillow_jxl": "JXL"}
"""Packages of the extra `pictures`, and the format that each teaches Pillow."""
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif", ".hif", ".jxl"),
)
_ADDRESS = re.compile(r"cannot identify image file <.* object at 0x[0-9a-fA-F]+>")


File = str | Path | bytes | IO[bytes]
"""A picture file by its path, its content, or the file itself, opened."""


class Header(NamedTuple):
    """What the first bytes of a picture tell: (width, height) once it is upright, and whether it has transparency."""

    size: tuple[int, int]
    alpha: bool


SHARP = 2.5
"""How many times larger than it is wanted a JPEG is decoded at least, where it is not decoded at its own size."""


def read_picture(
    file: File, background: RGB = (255, 255, 255), *, name: str = "", at_least: tuple[int, int] | None = None
) -> np.ndarray:
    """The picture (H, W, 3), uint8: EXIF orientation applied, transparency composed over `background`.

    The format is told by the content, not by the suffix. 16-bit grey keeps its upper 8 bits, 32-bit float is taken
    as [0, 1], CMYK and palettes are converted, an animation gives its first frame. Colour profiles are not applied.

    Args:
        file: The file.
        background: What shows through transparency.
        name: What messages call it; by default the name of the file.
        at_least: The (width, height) that it will be scaled to. A JPEG of more than five times that width and height
            is then decoded at 1/2, 1/4 or 1/8 of its size, never below 2.5 times the wanted one: a photograph of a
            phone takes a third of the time. After scaling it is not quite the same: photographs are 0.2 to 0.5 of 255
            off on average, up to 5 % of their pixels by more than 2; line drawings and noise 2 on average, half of
            their pixels by more than 2.

    Raises:
        GraphError: E_PICTURE, the file cannot be decoded as a whole.
    """
    return np.array(_read(file, name, lambda image: _to_rgb(image, background), at_least))


def read_brightness(file: File, *, name: str = "") -> np.ndarray:
    """Brightness (H, W), uint8, upright: ITU-R 601 luma, as Pillow makes it; transparency counts as black.

    Raises:
        GraphError: E_PICTURE.
    """
    return np.array(_read(file, name, lambda image: _to_rgb(image, (0, 0, 0)).convert("L")))


def read_opacity(file: File, *, name: str = "") -> np.ndarray:
    """Opacity (H, W), uint8, upright: 0 transparent, 255 opaque; 255 everywhere without transparency.

    Raises:
        GraphError: E_PICTURE.
    """
    return np.array(_read(file, name, _opacity))


def read_header(file: File, *, decode: bool = False) -> Header:
    """Size and transparency, from the header.

    With `decode` every byte is read too, at a reduced size where the format allows it (JPEG: 1/8, a fraction of the
    time). Raises whatever Pillow raises.
    """
    with _open(file) as image:
        width, height = image.size
        turned = orientation(image) >= 5
        alpha = image.has_transparency_data
        if decode:
            image.draft("RGB", (1, 1))
            image.load()
        return Header((height, width) if turned else (width, height), alpha)


def reason(error: Exception, path: str | Path) -> str:
    """Pillow's message without the path, which may be absolute."""
    text = str(error).replace(str(path), Path(path).name)
    return _ADDRESS.sub("cannot identify image file", text) or type(error).__name__


def orientation(image: Image.Image) -> int:
    """EXIF orientation 1 … 8 as the header tells it.

    Pillow turns TIFF itself. A PNG whose eXIf chunk stands after its pixels counts as upright: looking for the chunk
    would decode the whole file.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1


def _read(
    file: File,
    name: str,
    convert: Callable[[Image.Image], Image.Image],
    at_least: tuple[int, int] | None = None,
) -> Image.Image:
    try:
        with _open(file) as image:
            turn = orientation(image)
            if at_least is not None:
                width, height = at_least if turn < 5 else at_least[::-1]
                image.draft(None, (ceil(SHARP * width), ceil(SHARP * height)))
            image.load()
            return _upright(convert(image), turn)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        path = file if isinstance(file, str | Path) else name
        raise GraphError(
            "E_PICTURE",
            f"'{name or Path(path).name}' cannot be read: {reason(error, path)}",
            hint="replace or remove the file",
        ) from error


def _open(file: File) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=formats())
    except UnidentifiedImageError:
        if needs := _needs(file):
            raise UnidentifiedImageError(needs) from None
        raise


@lru_cache(maxsize=1)
def formats() -> tuple[str, ...]:
    """What can be read here: HEIC and JPEG XL where the extra `pictures` is installed."""
    there = {package: format for package, format in PLUGINS.items() if find_spec(package) is not None}
    if "pi_heif" in there:
        import pi_heif

        pi_heif.register_heif_opener()
    if "pillow_jxl" in there:
        import pillow_jxl  # noqa: F401 - registers itself
    return (*FORMATS, *there.values())


def _needs(file: File) -> str:
    """What to install for a file in a format that nothing here reads; empty for what is no such file."""
    if isinstance(file, bytes):
        begin = file[:12]
    elif isinstance(file, str | Path):
        with open(file, "rb") as opened:
            begin = opened.read(12)
    else:
        file.seek(0)
        begin = file.read(12)
    heif = begin[4:8] == b"ftyp" and begin[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
    jxl = begin.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL "))
    format = "HEIF" if heif else "JXL" if jxl else ""
    return f"{format} needs the extra: pip install 'hcpgraph[pictures]'" if format and format not in formats() else ""


def _opacity(image: Image.Image) -> Image.Image:
    from PIL import Image

    if not image.has_transparency_data:
        return Image.new("L", image.size, 255)
    return image.convert("RGBA").getchannel("A")


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
