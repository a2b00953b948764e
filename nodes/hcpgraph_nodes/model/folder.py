"""Weight folders that appear complete or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from hcpgraph import Context, GraphError
from hcpgraph.atomic import replacing

from ..types import SavedFile
from .digest import folder_digest

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def write_folder(
    ctx: Context, path: str, write: Callable[[Path, Mapping[str, str]], None], *, marker: str, overwrite: bool
) -> SavedFile:
    """Write a folder beside its place, then move it there, and announce it.

    Args:
        path: `root:relative` of the folder.
        write: Fills a folder that exists; the second argument is the metadata of every weight file in it.
        marker: A file that every folder of this kind has: only such a folder is ever replaced.
        overwrite: Replace a folder of that name; otherwise the new one gets a number.

    Raises:
        GraphError: E_NOT_A_MODEL, `overwrite` would replace something else.
    """
    target = ctx.output(path, overwrite=overwrite, weights=True)
    if target.exists() and not (target / marker).is_file():
        message = f"'{path}' exists and holds no {marker}: it is something else"
        raise GraphError("E_NOT_A_MODEL", message, hint="choose another path")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.mkdir()
        write(fresh, {"hcpgraph": ctx.run.embed} if ctx.run.embed else {})
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), folder_digest(target))
