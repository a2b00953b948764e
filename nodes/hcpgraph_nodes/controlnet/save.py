"""`controlnet.save`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint, ModelPicker

from ..families.identity import modelspec
from ..families.registry import family
from ..families.weights import write_json, write_weights
from ..model.digest import file_digest
from ..model.folder import DTYPES, write_folder
from ..model.handles import ControlNet
from ..rules import layout_problem
from ..types import SavedFile
from .network import WEIGHTS, full_config, original_names
from .probe import CONFIG, PREFIX


@node("controlnet.save", effects="write", title="Save ControlNet")
def save_controlnet(
    ctx: Context,
    controlnet: ControlNet,
    *,
    path: Annotated[
        str, ModelPicker(kind_of="any", suffixes=(".safetensors",), write=True, primary=True)
    ] = "out:controlnet",
    layout: Annotated[Literal["diffusers", "single_file"], Hint(primary=True)] = "diffusers",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write a ControlNet as a diffusers folder, or as one file that ComfyUI, A1111 and Forge read.

    `ControlNetModel.from_pretrained` loads the folder, `from_single_file` the file, which is in the original layout.
    Plugins are not part of it; the weights carry the graph that made them.

    Args:
        controlnet: The ControlNet.
        path: Folder or file to write; that of a single file ends with .safetensors.
        layout: A folder as `diffusers` has it, or a `single_file` in the original layout.
        dtype: Precision of the weights in the file.
        overwrite: Replace what has that name; otherwise the new one gets a number.

    Returns:
        out: The file, or the folder with the Merkle digest of its files.

    Raises:
        GraphError: E_SETTING (path and layout do not fit), E_NOT_A_MODEL (`overwrite` would replace something else),
            E_LAYOUT (the original layout has no names for some of its layers).
    """
    if problem := layout_problem(path, layout):
        raise GraphError("E_SETTING", problem, port="path", hint="change path or layout")
    if layout == "single_file":
        return _save_file(ctx, controlnet, path, DTYPES[dtype], overwrite)

    def write(folder: Path, metadata: Mapping[str, str]) -> None:
        import diffusers

        notes = {"_class_name": "ControlNetModel", "_diffusers_version": diffusers.__version__}
        write_json(folder / "config.json", {**full_config(controlnet.config), **notes})
        file = folder / f"{WEIGHTS}.safetensors"
        write_weights(file, _state(controlnet, DTYPES[dtype]), {"format": "pt", **metadata})

    return write_folder(ctx, path, write, marker=f"{WEIGHTS}.safetensors", overwrite=overwrite)


def _save_file(ctx: Context, controlnet: ControlNet, path: str, dtype: torch.dtype, overwrite: bool) -> SavedFile:
    config = full_config(controlnet.config)
    rename = original_names(config)
    state = {PREFIX + rename(name): value for name, value in _state(controlnet, dtype).items()}
    target = ctx.output(path, overwrite=overwrite, weights=True)
    if target.is_dir():
        raise GraphError("E_NOT_A_MODEL", f"'{path}' exists and is a folder", port="path", hint="choose another path")
    metadata = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        **modelspec(family(controlnet.family), controlnet.config, None, "/controlnet"),
        "modelspec.implementation": "https://github.com/lllyasviel/ControlNet",
        "modelspec.title": target.stem,
        CONFIG: json.dumps(config, sort_keys=True),
    }
    if ctx.run.embed:
        metadata["hcpgraph"] = ctx.run.embed
    write_weights(target, state, metadata)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def _state(controlnet: ControlNet, dtype: torch.dtype) -> dict[str, Tensor]:
    state: dict[str, Any] = controlnet.root.module.state_dict()
    return {name: value.to(dtype) for name, value in state.items()}
