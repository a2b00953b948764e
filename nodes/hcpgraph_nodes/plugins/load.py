"""`plugin.load`."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, NamedTuple

from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, Probe, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, ModelPicker, Slider

from ..adapter_files import own, own_header
from ..adapter_files.canonical import kind_at
from ..adapter_files.reading import left_out, read, refuse_nothing, refuse_unknown
from ..adapter_files.source import SUFFIXES, Source, open_source
from ..adapter_files.stems import Names
from ..model.bundle import Model, part_context
from ..model.handles import component
from ..types import Params
from .attach import Adapted, M, adapted
from .base import Adapter, Plugin, placed
from .blocks.adapter import AdapterBlock
from .blocks.kinds import BLOCKS
from .several import joined


class Loaded(NamedTuple, Generic[M]):
    """A model with the plugin of a file, and the plugin."""

    model: Annotated[M, Facts(family=Port("model"))]
    params: Params
    adapter: Annotated[Adapter, Facts(family=Port("model"), plugin=Probe("plugin of the file"))]


@node("plugin.load", effects=("read", "resource"), changes=Probe("parts of the adapter"))
def load_plugin(
    ctx: Context,
    model: M,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=SUFFIXES)],
    strength: Annotated[float, Field(ge=-10, le=10), Slider(step=0.05, primary=True)] = 1.0,
    trainable: Annotated[bool, Hint(advanced=True)] = False,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
    averages: Annotated[bool, Hint(advanced=True)] = False,
    unknown: Annotated[Literal["error", "ignore"], Hint(advanced=True)] = "error",
) -> Loaded[M]:
    """Attach a LoRA, LoCon, DoRA, LoHa, LoKr or full difference from a file.

    The layouts of kohya, LyCORIS, OneTrainer, PEFT, diffusers, ComfyUI's trainer and HCP-Diffusion 0.9 and 2.x are
    told apart key by key. Only the part for this component is used; a file for denoiser and text encoder is loaded
    once for each. So are files of plugins of other kinds that plugin.save wrote: their class is looked up among those
    that installed packs declare, and never imported by a name in the file.

    Args:
        model: A denoiser or text encoder.
        path: A .safetensors file, a folder that PEFT saved, or a .ckpt, .pt, .pth or .bin file of tensors alone.
        strength: Factor of the adapter; 0 switches it off, negative values turn it around.
        trainable: Whether its weights are trained further.
        lr: Learning rate of its weights if they are trained; none given: the optimizer's.
        weight_decay: Weight decay of its weights if they are trained; none given: the optimizer's.
        averages: Take the moving averages (EMA) that files of HCP-Diffusion 0.9 may hold beside the weights.
        unknown: For keys that fit no layer: `error` lists them, `ignore` loads the rest and says so.

    Returns:
        model: The model with the adapter.
        params: Its weights if they are trainable, else nothing.
        adapter: The adapter alone, for plugin.save; strength is not stored.

    Raises:
        GraphError: E_NO_MODEL, E_NO_SAFETENSORS, E_FILE, E_LORA_KEYS, E_LORA_SHAPE, E_LORA_KIND; of other kinds
            E_PLUGIN_KIND, a pack that is missing, E_NO_LAYER, E_STATE, E_HYPER_PARAM (a strength where the kind has
            none).
    """
    source = open_source(ctx.path(path))
    if own_header.KEY in source.metadata:
        return Loaded(*load_own(ctx, model, source, averages, strength, trainable, lr, weight_decay))
    if isinstance(model, Model):
        held = read(source, Names(model.handles), averages=averages)
        if unknown == "error":
            refuse_unknown(held, source, "model")
        refuse_nothing(held, source, "model")
        settings: dict[str, Any] = {"path": path, "strength": strength, "averages": averages, "unknown": unknown}
        settings |= {"trainable": trainable, "lr": lr, "weight_decay": weight_decay}
        made: dict[str, Any] = {
            name: load_plugin(part_context(ctx, name), model.part(name), **settings)
            for name, layers in held.components.items()
            if layers
        }
        return Loaded(*joined(model, made))
    name = component(model)
    found = read(source, Names({name: model}), averages=averages)
    if unknown == "error":
        refuse_unknown(found, source, name)
    elif missing := left_out(found):
        ctx.log(f"{source.name}: {missing}", "warning")
    refuse_nothing(found, source, name)
    if found.words:
        ctx.log(f"{source.name} also holds the words {listed(found.words)}: load them with word.load", "warning")
    layers, kinds = model.root.layers, BLOCKS
    blocks: dict[str, AdapterBlock] = {}
    for at, weights in found.components[name].items():
        block = kinds[kind_at(layers[at], weights)].from_tensors(layers[at], weights, strength=strength, path=at)
        blocks[at] = placed(block, model)
    return Loaded(*adapted(model, name, Plugin(blocks, trainable=trainable), ctx.node, lr, weight_decay))


def load_own(
    ctx: Context,
    model: Any,
    source: Source,
    averages: bool,
    strength: float,
    trainable: bool,
    lr: float | None,
    weight_decay: float | None,
) -> Adapted[Any]:
    """Attach the plugins of a file of any kind, see `adapter_files.own`.

    Raises:
        GraphError: E_LORA_KEYS, it has no averages, or nothing for the component; E_PLUGIN_KIND and others.
    """
    if averages:
        raise GraphError("E_LORA_KEYS", f"{source.name} has no moving averages", hint="leave averages off")
    found = own.entries(source.metadata, source.name)
    options = (averages, strength, trainable, lr, weight_decay)
    if isinstance(model, Model):
        made = {name: load_own(part_context(ctx, name), model.part(name), source, *options) for name in found}
        return joined(model, made)
    name = component(model)
    if name not in found:
        hint = "wire the component that the file was made for"
        raise GraphError("E_LORA_KEYS", f"{source.name} has nothing for the {name}", port="model", hint=hint)
    plugin = own.rebuilt(model, name, found[name], source.state, strength=strength, trainable=trainable)
    return adapted(model, name, plugin, ctx.node, lr, weight_decay)
