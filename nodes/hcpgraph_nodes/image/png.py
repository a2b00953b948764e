"""Write a PNG that carries the graph it came from."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np

from hcpgraph import Context, GraphError

from ..types import SavedFile

KEY = "hcpgraph"


def numbered(uri: str, count: int, mark: str = "") -> list[str]:
    """`root:relative` names of `count` pictures: `cat.png`, or `cat-0.png`, `cat-1.png` …

    Args:
        uri: The name as set; without a suffix it becomes a .png.
        count: Number of pictures.
        mark: Put behind the stem, such as `-000250`.

    Raises:
        GraphError: E_PATH, another suffix than .png.
    """
    root, _, relative = uri.rpartition(":")
    path = PurePosixPath(relative)
    suffix = path.suffix.lower() or ".png"
    if suffix != ".png" or not path.name:
        raise GraphError("E_PATH", f"'{uri}' does not name a PNG file", hint="end the name with .png")
    stem = path.name[: len(path.name) - len(path.suffix)] + mark
    names = [f"{stem}.png"] if count == 1 else [f"{stem}-{i}.png" for i in range(count)]
    return [f"{root}:{path.with_name(name)}" for name in names]


def encode(pixels: np.ndarray, graph: str | None) -> bytes:
    """A PNG of a picture (H, W, 3), uint8; the graph text goes into a text chunk (iTXt if it is not Latin-1)."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if graph is not None:
        info.add_text(KEY, graph)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def write_png(ctx: Context, pixels: np.ndarray, uri: str, *, overwrite: bool) -> SavedFile:
    """Write one picture below its root: complete or not at all. The name is taken as `ctx.output` gives it."""
    path = ctx.output(uri, overwrite=overwrite)
    content = encode(pixels, ctx.run.embed)
    _replace(path, content)
    ctx.artifact(path, "image", width=pixels.shape[1], height=pixels.shape[0])
    return SavedFile(ctx.run.roots.uri(path), sha256(content).hexdigest())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
