"""`vae.save`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from hcpgraph import Context, node
from hcpgraph.widgets import ModelPicker

from ..families.registry import family
from ..model.folder import DTYPES, write_folder
from ..model.handles import Vae
from ..types import SavedFile


@node("vae.save", effects="write", title="Save VAE")
def save_vae(
    ctx: Context,
    vae: Vae,
    *,
    path: Annotated[str, ModelPicker(kind_of="folder", write=True, primary=True)] = "out:vae",
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

    def write(folder: Path, metadata: Mapping[str, str]) -> None:
        family(vae.family).save_vae(folder, vae, DTYPES[dtype], metadata)

    return write_folder(ctx, path, write, marker="diffusion_pytorch_model.safetensors", overwrite=overwrite)
