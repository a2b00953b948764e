"""`image.save`: pictures -> PNG files."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, node
from hcpgraph.widgets import PathPicker

from ..types import Images, SavedFile
from .png import write_pngs


@node("image.save", effects="write")
def save(
    ctx: Context,
    images: Images,
    *,
    path: Annotated[str, PathPicker(kind_of="file", suffixes=(".png",), write=True, primary=True)] = "out:picture.png",
    overwrite: bool = False,
) -> list[SavedFile]:
    """Save pictures as PNG files that carry the graph: `hcpgraph run cat.png` makes the same picture again.

    Args:
        images: Pictures (B, 3, H, W) in [0, 1].
        path: Where to; several pictures become `cat-0.png`, `cat-1.png` …
        overwrite: Whether files of the same name are replaced; otherwise the new ones get a number, and inside of a
            training loop the step.

    Returns:
        out: The files, in order.

    Raises:
        GraphError: E_PATH, the name is not below a root or does not end with .png.
    """
    return write_pngs(ctx, images, path, mark="" if overwrite else ctx.mark, overwrite=overwrite)
