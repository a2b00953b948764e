"""`controlnet.load`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from torch import nn

from hcpgraph import Context, Facts, GraphError, Probe, node
from hcpgraph.widgets import Hint, ModelPicker, RowPicker

from ..families.contradiction import refuse_other
from ..families.table import NAME
from ..families.table import named as family_named
from ..families.weights import build, read_config, read_folder
from ..model.handles import ControlNet, named
from ..model.root import Placement, Root
from .network import WEIGHTS, WHAT, from_file, full_config, network, original_names
from .probe import control_folder, derived_config, family_of, read_control


@node("controlnet.load", effects=("read", "resource"), packages=("diffusers",), title="Load ControlNet")
def load_controlnet(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=(".safetensors",))],
    family: Annotated[str, RowPicker(table=NAME, also=("auto",))] = "auto",
    config: Annotated[str | None, ModelPicker(kind_of="folder", advanced=True)] = None,
    checkpointing: Annotated[bool, Hint(advanced=True)] = False,
) -> Annotated[ControlNet, Facts(family=Probe("controlnet_family"), contradicts=Probe("contradicts controlnet.load"))]:
    """Open a ControlNet: a diffusers folder, or a .safetensors file in the original layout or that of diffusers.

    Weights are read when they are first used, in the precision of the run, and are frozen until a node makes them
    trainable. Only safetensors are read; no network is used.

    Args:
        path: A diffusers folder, also that of a pipeline with a ControlNet in it, or a .safetensors file, such as
            models:control_v11p_sd15_canny.safetensors.
        family: Model family that it was made for; auto reads it from the files.
        config: For a single file of unusual sizes: a folder whose config.json describes it.
        checkpointing: Recompute its activations in backward: less memory, about a third more time, the same gradients.

    Returns:
        out: The ControlNet.

    Raises:
        GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS; E_WEIGHTS, the file holds no ControlNet, or one
            that is built in another way; E_FAMILY, it is of another family; at first use E_WEIGHTS, weights that do not
            fit.
    """
    source = ctx.path(path)
    refuse_other("controlnet.load", family, source, path)
    described = None if config is None else read_config(ctx.path(config), "config.json", "ControlNetModel")
    found, load = _folder(source) if source.is_dir() else _file(source, described)
    name = family_of(found) if family == "auto" else family
    if name is None:
        hint = "set family to the one whose denoiser it leads"
        raise GraphError("E_FAMILY", f"'{path}' is a ControlNet of no known model family", port="family", hint=hint)
    family_named(name)
    root = Root(load, Placement(ctx.device, ctx.dtype, checkpointing))
    return named(ctx, (ControlNet(root=root, family=name, config=found),))[0]


Found = tuple[dict[str, Any], Callable[[], nn.Module]]


def _folder(source: Path) -> Found:
    folder = control_folder(source)
    config = full_config(read_config(folder, "config.json", "ControlNetModel"))
    return config, lambda: build(partial(network, config), read_folder(folder, WEIGHTS), WHAT)


def _file(path: Path, described: Mapping[str, Any] | None) -> Found:
    if path.suffix != ".safetensors":
        raise GraphError("E_NO_SAFETENSORS", f"{path.name} is no .safetensors file", hint="convert it to safetensors")
    try:
        found = read_control(path)
        if found is None:
            raise GraphError(
                "E_WEIGHTS",
                f"{path.name} holds no ControlNet",
                hint="it needs the weights that read conditions, input_hint_block or controlnet_cond_embedding",
            )
        config = full_config(described or found.config or derived_config(found))
    except (KeyError, ValueError, RecursionError, TypeError, IndexError, AttributeError) as error:
        raise GraphError(
            "E_WEIGHTS",
            f"{path.name} is no ControlNet that can be read: {error}",
            hint="give the folder of its config.json in config",
        ) from None
    rename = original_names(config) if found.original else str
    return config, partial(from_file, path, found.prefix, config, rename)
