"""Small pictures for galleries, made on demand and kept below `cache:thumbs`. Runs in a helper process."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

from ...atomic import replacing
from ...errors import GraphErrors
from ...fingerprint import stamp
from ...paths import Roots

SIZES = (64, 128, 256, 512)
MAX_PIXELS = 100_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""Pillow knows many more, with decoders that hardly anybody looks at."""
QUALITY = 82


def folder(roots: Roots) -> Path:
    return roots.root("cache") / "thumbs"


def place(path: Path, size: int, roots: Roots) -> Path:
    """Where the thumbnail of a file as it is now lies, or will lie."""
    what = f"{path}\0{stamp(path)}\0{size}"
    return folder(roots) / f"{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:32]}.webp"


def make(path: Path, size: int, target: Path) -> None:
    """Write the thumbnail of a picture, its longest side at most `size`.

    Raises:
        GraphErrors: E_PICTURE, it cannot be read; E_TOO_LARGE, it has too many pixels to look at.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                image.draft("RGB", (size, size))
                small = ImageOps.exif_transpose(image)
                small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
                small = small.convert("RGBA" if small.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        message = f"the picture has more than {MAX_PIXELS // 10**6} million pixels"
        raise GraphErrors.one("E_TOO_LARGE", message) from None
    except FileNotFoundError:
        raise GraphErrors.one("E_NOT_FOUND", "the picture is gone") from None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, ArithmeticError, EOFError) as error:
        raise GraphErrors.one("E_PICTURE", f"the picture cannot be read: {error}"[:200]) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        small.save(fresh, "WEBP", quality=QUALITY)
