"""`model.save`."""

from __future__ import annotations

import os
import shutil
from typing import Annotated, Literal

import torch

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import PathPicker

from ..families.registry import family
from ..types import NoiseSchedule, SavedFile
from .digest import folder_digest
from .handles import Denoiser, TextEncoder, Vae

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


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
    target = ctx.output(path, overwrite=overwrite)
    if target.exists() and not (target / "model_index.json").is_file():
        raise GraphError("E_NOT_A_MODEL", f"'{path}' exists and is no model folder", hint="choose another path")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    metadata = {"hcpgraph": ctx.run.embed} if ctx.run.embed else {}
    try:
        family(denoiser.family).save(temporary, denoiser, text_encoder, vae, schedule, DTYPES[dtype], metadata)
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), folder_digest(target))
