"""`model.save_part`: the weights of chosen layers alone.

A part is what partial fine-tuning changes. Its keys are HCP-Diffusion's, `base:` and the name of the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import Field
from torch import nn

from hcpgraph import Context, GraphError, Probe, node
from hcpgraph.errors import listed
from hcpgraph.widgets import LayerPicker, ModelPicker

from ..families.weights import write_weights
from ..plugins.blocks.selector import Asked, select
from ..selectors import components
from ..types import SavedFile
from .bundle import Model
from .digest import file_digest
from .folder import DTYPES
from .handles import Handle, component

M = TypeVar("M", bound=Handle)
KEY = "base:"


@node("model.save_part", effects="write", changes=Probe("selected parts"), title="Save part")
def save_part(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = [""],  # noqa: B006
    path: Annotated[
        str,
        Field(pattern=r"\.safetensors$"),
        ModelPicker(kind_of="file", suffixes=(".safetensors",), write=True, primary=True),
    ] = "out:part.safetensors",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write the weights of some layers of a model into one file.

    After partial fine-tuning that is all that has changed. Plugins are not part of it. The header carries the graph
    that made it.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such
            as @attention; an empty text is the whole model. All weights of and below the selected layers are written.
        path: File to write.
        dtype: Precision of the weights in the file.
        overwrite: Replace a file of that name; otherwise the new one gets a number.

    Returns:
        out: The file.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER (nothing matches, or it has no weights).
    """
    if isinstance(model, Model):
        message = f"layers names {listed(components(layers))}, and a file holds layers of one of them"
        raise GraphError("E_SELECTOR", message, port="layers", hint="take a node for each")
    name = component(model)
    chosen = chosen_weights(model, layers)
    if not chosen:
        raise GraphError("E_NO_LAYER", f"{', '.join(layers)}: these layers have no weights", hint="choose other layers")
    target = ctx.output(path, overwrite=overwrite, weights=True)
    header = {"format": "pt", "hcpgraph.family": model.family, "hcpgraph.component": name}
    if ctx.run.embed:
        header["hcpgraph"] = ctx.run.embed
    write_weights(target, {f"{KEY}{key}": value.to(DTYPES[dtype]) for key, value in chosen.items()}, header)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def chosen_weights(model: Handle, layers: Sequence[str]) -> dict[str, nn.Parameter]:
    """The weights of and below the selected layers by their names in files, in the model's order."""
    root, asked = model.root, Asked.of(model)
    chosen = {
        id(parameter) for name in select(root.layers, layers, asked) for parameter in root.layers[name].parameters()
    }
    named = root.module.named_parameters()
    return {root.parameter_name(name): parameter for name, parameter in named if id(parameter) in chosen}
