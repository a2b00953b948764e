"""`image.log`: previews while training."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, node
from hcpgraph.widgets import PathPicker

from ..types import Images, SavedFile
from .png import write_pngs


@node("image.log", effects=("write", "step"))
def log(
    ctx: Context,
    images: Images,
    *,
    path: Annotated[
        str, PathPicker(kind_of="file", suffixes=(".png",), write=True, primary=True)
    ] = "out:previews/preview.png",
) -> list[SavedFile]:
    """Save previews with the training step in their names, `preview-000250.png`.

    A resumed run writes the same names again, so files are replaced. Like `image.save`, each carries the graph.

    Args:
        images: Pictures (B, 3, H, W) in [0, 1].
        path: Where to; the step is put behind the name, several pictures get `-0`, `-1` … behind the step.

    Returns:
        out: The files, in order.
    """
    return write_pngs(ctx, images, path, mark=f"-{ctx.step:06d}", overwrite=True)
