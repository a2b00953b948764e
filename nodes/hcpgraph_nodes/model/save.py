"""`model.save`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from hcpgraph import Context, GraphError, Whole, node
from hcpgraph.widgets import Hint, ModelPicker

from ..families.registry import family
from ..families.table import interface
from ..rules import layout_problem
from ..types import Process, SavedFile
from .bundle import Model
from .digest import file_digest
from .folder import DTYPES, write_folder
from .handles import Denoiser, TextEncoder, Vae


@node(
    "model.save",
    effects="write",
    takes={"model": Whole(Model, denoiser="denoiser", text_encoder="text_encoder", vae="vae", process="schedule")},
)
def save_model(
    ctx: Context,
    denoiser: Denoiser,
    text_encoder: TextEncoder,
    vae: Vae,
    schedule: Process,
    *,
    path: Annotated[
        str, ModelPicker(kind_of="any", suffixes=(".safetensors",), write=True, primary=True)
    ] = "out:model",
    layout: Annotated[Literal["diffusers", "single_file"], Hint(primary=True)] = "diffusers",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write a model as a diffusers folder, or as one file that other programs read.

    The family's pipeline in diffusers loads a folder with `from_pretrained` and a single file with `from_single_file`;
    a single file has the original layout, which A1111, ComfyUI, Forge and kohya read, and its header the configurations
    that model.load needs. Plugins are not part of it: save them with plugin.save. The weight files carry the graph that
    made them.

    Args:
        model: The model on one wire; parts that are wired on their own are written instead of its own.
        denoiser: The UNet.
        text_encoder: The text encoder; its tokenizer is written too.
        vae: The autoencoder.
        schedule: The forward process, written as the scheduler.
        path: Folder or file to write; that of a single file ends with .safetensors.
        layout: A folder as `diffusers` has it, or a `single_file` in the original layout.
        dtype: Precision of the weights in the files.
        overwrite: Replace what has that name; otherwise the new one gets a number.

    Returns:
        out: The file, or the folder with the Merkle digest of its files.

    Raises:
        GraphError: E_SETTING (path and layout do not fit), E_NOT_A_MODEL (`overwrite` would replace something else),
            E_FAMILY (parts that do not go together), E_LAYOUT and E_TOKENIZER (a single file has no place for a part).
    """
    if problem := layout_problem(path, layout):
        raise GraphError("E_SETTING", problem, port="path", hint="change path or layout")
    _require_one_model(denoiser, text_encoder, vae)
    model = (denoiser, text_encoder, vae, schedule)
    implementation = family(denoiser.family)
    if layout == "single_file":
        return _file(ctx, path, partial(implementation.save_file, model=model, dtype=DTYPES[dtype]), overwrite)

    def write(folder: Path, metadata: Mapping[str, str]) -> None:
        implementation.save(folder, model, DTYPES[dtype], metadata)

    return write_folder(ctx, path, write, marker="model_index.json", overwrite=overwrite)


def _require_one_model(denoiser: Denoiser, text_encoder: TextEncoder, vae: Vae) -> None:
    for name, part in (("text", text_encoder), ("latents", vae)):
        own, other = (interface(each.family, name) for each in (denoiser, part))
        if own != other:
            raise GraphError(
                "E_FAMILY",
                f"the denoiser of {denoiser.family} works with {name} of '{own}', and this part of {part.family} with "
                f"'{other}': together they are no model",
                port="text_encoder" if name == "text" else "vae",
                hint="wire denoiser, text encoder and vae of one family, or of families that share what lies between",
            )


def _file(ctx: Context, path: str, write: Callable[..., None], overwrite: bool) -> SavedFile:
    target = ctx.output(path, overwrite=overwrite, weights=True)
    if target.is_dir():
        raise GraphError("E_NOT_A_MODEL", f"'{path}' exists and is a folder", hint="choose another path")
    write(target, metadata={"hcpgraph": ctx.run.embed} if ctx.run.embed else {})
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))
