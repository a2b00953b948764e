"""`vae.save`."""

from __future__ import annotations

import os
import shutil
from typing import Annotated, Literal

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import PathPicker

from ..families.registry import family
from ..model.digest import folder_digest
from ..model.handles import Vae
from ..model.save import DTYPES
from ..types import SavedFile


@node("vae.save", effects="write", title="Save VAE")
def save_vae(
    ctx: Context,
    vae: Vae,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", write=True, primary=True)] = "out:vae",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write an autoencoder as a folder that vae.load and `AutoencoderKL.from_pretrained` read.

    The scaling factor is part of its configuration; the weight file carries the graph that made it.

    Args:
        vae: The autoencoder.
        path: Folder to write.
        dtype: Precision of the weights in the file.
        overwrite: Replace a folder of that name; otherwise the new one gets a number.

    Returns:
        out: The folder, with the Merkle digest of its files.

    Raises:
        GraphError: E_NOT_A_MODEL, `overwrite` would replace something else.
    """
    target = ctx.output(path, overwrite=overwrite)
    if target.exists() and not (target / "diffusion_pytorch_model.safetensors").is_file():
        raise GraphError("E_NOT_A_MODEL", f"'{path}' exists and is no autoencoder", hint="choose another path")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    metadata = {"hcpgraph": ctx.run.embed} if ctx.run.embed else {}
    try:
        family(vae.family).save_vae(temporary, vae, DTYPES[dtype], metadata)
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), folder_digest(target))
