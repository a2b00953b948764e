"""A small number that equal pictures share, and nearly equal ones nearly: dHash, remembered on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hcpgraph.declaring.sources import code_of
from hcpgraph.errors import GraphError
from hcpgraph.fingerprint import stamp

from ..data.sources.dataset import PictureFile, Source
from ..image.read import FORMATS, orientation, reason

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

THREADS = 8
CHUNK = 256
SIDE = 64


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like from afar; two files with one picture have about the same.

    Attributes:
        bits: 64 bits of its shapes.
        tiny: It at 8 × 8 pixels, RGB, row by row: shapes alone do not tell a red heart from a blue one.
    """

    bits: int
    tiny: bytes


Told = Callable[[int, int], None]


def looks(
    sources: Sequence[Source], database: Path, told: Told, *, again: bool = False
) -> tuple[dict[Source, Look], dict[Source, str]]:
    """The look of every picture, and why some cannot be read.

    Args:
        sources: Different pictures.
        database: Where looks are remembered, by size and time of the file as hcpgraph.fingerprint does.
        told: Called with how many are done and how many there are; what it raises ends this.
        again: Decode every picture as training will, also those that are remembered.
    """
    stats = {source: stat for source in sources if (stat := _stat(source)) is not None}
    found = {} if again else _remembered(database, stats)
    bad: dict[Source, str] = {}
    missing = [source for source in sources if source not in found]
    fresh: dict[Source, Look] = {}
    look = whole if again else look_of
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(missing), CHUNK):
            told(len(sources) - len(missing) + start, len(sources))
            chunk = missing[start : start + CHUNK]
            for source, result in zip(chunk, pool.map(lambda one: _tried(look, one), chunk), strict=True):
                if isinstance(result, Look):
                    fresh[source] = result
                else:
                    bad[source] = result
    told(len(sources), len(sources))
    _remember(database, {one: look for one, look in fresh.items() if one in stats and _stat(one) == stats[one]}, stats)
    return found | fresh, bad


def look_of(source: Source) -> Look:
    """The look of one picture; a JPEG is decoded at a fraction of its size. Raises what a damaged file leads to."""
    return _draft(source) if isinstance(source, PictureFile) else whole(source)


def whole(source: Source) -> Look:
    """The look of one picture, decoded in full."""
    from PIL import Image

    return _look(Image.fromarray(source.load()))


def _draft(source: PictureFile) -> Look:
    from PIL import Image, ImageOps

    with Image.open(source.path, formats=FORMATS) as image:
        if image.mode in ("F", "I") or image.mode.startswith("I;16"):
            return whole(source)
        turned = orientation(image) > 1
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image) if turned else image
        small = upright.convert("RGBA" if image.has_transparency_data else "RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        if small.mode == "RGBA":
            canvas = Image.new("RGBA", small.size, (*source.background, 255))
            canvas.alpha_composite(small)
            small = canvas.convert("RGB")
        return _look(small)


def _look(image: Picture) -> Look:
    """Is each of 8 × 8 brightness steps along the rows of a 9 × 8 thumbnail upward? (N. Krawetz, "dHash", 2013)."""
    from PIL import Image

    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")
    return Look(bits, image.resize((8, 8), Image.Resampling.BOX).tobytes())


def _tried(look: Callable[[Source], Look], source: Source) -> Look | str:
    try:
        return look(source)
    except GraphError as error:
        return error.problem.message
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        return reason(error, getattr(source, "path", ""))


def _stat(source: Source) -> str | None:
    """Names the content of the file behind a picture; None where there is no file."""
    path = getattr(source, "path", None)
    if not isinstance(path, str):
        return None
    try:
        return f"{stamp(Path(path))} {code_of(__name__, 'PIL')}"
    except OSError:
        return None


TABLE = "CREATE TABLE IF NOT EXISTS looks (source TEXT PRIMARY KEY, stat TEXT, bits TEXT, tiny BLOB)"


def _remembered(database: Path, stats: Mapping[Source, str]) -> dict[Source, Look]:
    found: dict[Source, Look] = {}
    if not database.exists():
        return found
    with suppress(sqlite3.Error, ValueError), closing(sqlite3.connect(database, timeout=30)) as connection:
        for source, stat in stats.items():
            query = "SELECT bits, tiny FROM looks WHERE source = ? AND stat = ?"
            row = connection.execute(query, (repr(source), stat)).fetchone()
            if row is not None:
                found[source] = Look(int(row[0], 16), row[1])
    return found


def _remember(database: Path, fresh: Mapping[Source, Look], stats: Mapping[Source, str]) -> None:
    rows = [(repr(one), stats[one], f"{look.bits:016x}", look.tiny) for one, look in fresh.items()]
    if not rows:
        return
    with suppress(sqlite3.Error, OSError):
        database.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            connection.execute(TABLE)
            connection.executemany("INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?)", rows)
