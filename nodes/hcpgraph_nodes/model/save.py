"""`model.save`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from hcpgraph import Context, node
from hcpgraph.widgets import PathPicker

from ..families.registry import family
from ..types import NoiseSchedule, SavedFile
from .folder import DTYPES, write_folder
from .handles import Denoiser, TextEncoder, Vae


@node("model.save", effects="write")
def save_model(
    ctx: Context,
    denoiser: Denoiser,
    text_encoder: TextEncoder,
    vae: Vae,
    schedule: NoiseSchedule,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", write=True, primary=True)] = "out:model",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write a model as a diffusers folder.

    `StableDiffusionPipeline.from_pretrained` loads it. Plugins are not part of it: save them with plugin.save. The
    weight files carry the graph that made them.

    Args:
        denoiser: The UNet.
        text_encoder: The text encoder; its tokenizer is written too.
        vae: The autoencoder.
        schedule: The forward process, written as the scheduler.
        path: Folder to write.
        dtype: Precision of the weights in the files.
        overwrite: Replace a folder of that name; otherwise the new one gets a number.

    Returns:
        out: The folder, with the Merkle digest of its files.

    Raises:
        GraphError: E_NOT_A_MODEL, `overwrite` would replace something else.
    """

    def write(folder: Path, metadata: Mapping[str, str]) -> None:
        family(denoiser.family).save(folder, denoiser, text_encoder, vae, schedule, DTYPES[dtype], metadata)

    return write_folder(ctx, path, write, marker="model_index.json", overwrite=overwrite)
