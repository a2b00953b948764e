"""`model.load_part`: weights of chosen layers, put into a model.

Keys are those of `model.save_part`; names without `base:` are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from torch import Tensor

from hcpgraph import Context, Facts, GraphError, Port, Probe, node
from hcpgraph.errors import listed
from hcpgraph.finite import READ, refuse_not_finite
from hcpgraph.widgets import Hint, LayerPicker, ModelPicker, Slider

from ..adapter_files.parts import part_file_component
from ..selectors import components
from .bundle import Model
from .handles import component
from .save_part import KEY, M, chosen_weights


@node("model.load_part", effects=("read", "resource"), changes=Probe("parts of the part file"), title="Load part")
def load_part(
    ctx: Context,
    model: M,
    *,
    path: Annotated[str, ModelPicker(kind_of="file", primary=True, suffixes=(".safetensors",))],
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker()] = [""],  # noqa: B006
    strength: Annotated[float, Field(ge=-10, le=10), Slider(step=0.05, primary=True)] = 1.0,
    allow_unknown: Annotated[bool, Hint(advanced=True)] = False,
) -> Annotated[M, Facts(family=Port("model"))]:
    """A model with some of its weights taken from a file of model.save_part or HCP-Diffusion.

    The result is a copy with memory of its own; the wire it came on still means the model without the part.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet, before it is trained and before plugins are attached to it.
        path: A .safetensors file.
        layers: Selectors of the layers that are taken from it; an empty text takes all that the file has.
        strength: Every weight becomes (1 - strength) · own + strength · file's; 1 replaces it.
        allow_unknown: Leave out weights of the file that the model does not have, instead of refusing it.

    Returns:
        out: The model with the part.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER, E_NO_SAFETENSORS, E_PART (weights that the model does not have
            or of other shapes, nothing to take, a model that is trained or has plugins), E_NOT_FINITE.
    """
    if isinstance(model, Model):
        named = (part_file_component(ctx.path(path)),) if ctx.path(path).is_file() else components(layers)
        name = named[0] or components(layers)[0]
        settings = {"layers": layers, "strength": strength, "allow_unknown": allow_unknown}
        return model.changed({name: load_part(ctx, model.part(name), path=path, **settings)})
    component(model)
    if model.trainable or model.stack:
        raise GraphError(
            "E_PART",
            "the part would go into a copy, which is neither trained nor shares plugins",
            port="model",
            hint="load the part first, then attach plugins or choose what is trained",
        )
    own = chosen_weights(model, [""])
    part = _read(ctx.path(path))
    unknown = [] if allow_unknown else [f"{key} is not in the model" for key in part if key not in own]
    shapes = [
        f"{key} is {list(value.shape)} in the file and {list(own[key].shape)} in the model"
        for key, value in part.items()
        if key in own and own[key].shape != value.shape
    ]
    if found := unknown + shapes:
        hint = "the file is of another model or another part of it; allow_unknown leaves out what the model lacks"
        raise GraphError("E_PART", listed(found, "; "), port="path", hint=hint)
    taken = [key for key in chosen_weights(model, layers) if key in part]
    if not taken:
        raise GraphError(
            "E_PART",
            f"'{path}' has no weights of the layers {', '.join(layers) or ''!r}",
            port="path",
            hint="change layers",
        )
    ctx.log(f"{len(taken)} of the model's {len(own)} weights come from '{path}'")
    return model.copy({id(own[key]): _mixed(own[key], part[key], strength) for key in taken})


def _mixed(own: Tensor, other: Tensor, strength: float) -> Tensor:
    other = other.to(own.device)
    return other if strength == 1 else own.float() * (1 - strength) + other.float() * strength


def _read(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors" or not path.is_file():
        raise GraphError("E_NO_SAFETENSORS", f"{path.name} is no .safetensors file", hint="convert it to safetensors")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise GraphError("E_NO_SAFETENSORS", f"{path.name} cannot be read: {error}", hint="fetch it again") from None
    refuse_not_finite(state.items(), path.name, READ, port="path")
    return {key.removeprefix(KEY): value for key, value in state.items()}
