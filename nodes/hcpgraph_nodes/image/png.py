"""Write a PNG that carries the graph it came from."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import PurePosixPath

import numpy as np

from hcpgraph import Context, GraphError
from hcpgraph.atomic import write_bytes

from ..types import Images, SavedFile
from .pixels import finite, to_pixels

KEY, NOT_FINITE = "hcpgraph", "hcpgraph.not_finite"
"""Text chunks: the graph, and the mark of a picture whose values were not all finite."""


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


def encode(pixels: np.ndarray, graph: str | None, *, finite: bool = True) -> bytes:
    """A PNG of a picture (H, W, 3), uint8; the graph text goes into a text chunk (iTXt if it is not Latin-1)."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if graph is not None:
        info.add_text(KEY, graph)
    if not finite:
        info.add_text(NOT_FINITE, "values were infinite or not numbers; there the picture is black")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def write_pngs(ctx: Context, images: Images, uri: str, *, mark: str = "", overwrite: bool) -> list[SavedFile]:
    """Write pictures by the names that `numbered` gives. One with values that are not finite says so, and so does the
    run.

    Raises:
        GraphError: E_PATH, E_WRITE.
    """
    pictures = to_pixels(images)
    names = numbered(uri, len(pictures), mark)
    return [
        _write(ctx, pixels, name, whole, overwrite=overwrite)
        for pixels, name, whole in zip(pictures, names, finite(images), strict=True)
    ]


def _write(ctx: Context, pixels: np.ndarray, uri: str, whole: bool, *, overwrite: bool) -> SavedFile:
    """Write one picture below its root: complete or not at all. The name is taken as `ctx.output` gives it."""
    path = ctx.output(uri, overwrite=overwrite, marked=True)
    content = encode(pixels, ctx.run.embed, finite=whole)
    write_bytes(path, content)
    if not whole:
        ctx.not_finite(f"the picture {ctx.run.roots.uri(path)}, black where it has no values")
    fields = {} if whole else {"not_finite": True}
    ctx.artifact(path, "image", width=pixels.shape[1], height=pixels.shape[0], **fields)
    return SavedFile(ctx.run.roots.uri(path), sha256(content).hexdigest())
