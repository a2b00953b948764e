"""`plugin.custom`: a plugin of anybody's own class."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field

from hcpgraph import Context, GraphError, Probe, node
from hcpgraph.widgets import Hint, LayerPicker

from ..model.bundle import Model
from ..model.handles import component
from ..python.object import PythonObject
from .attach import Adapted, M, adapted
from .base import Plugin
from .blocks.selector import Point
from .kinds import MultiPluginBlock, PluginBlock, SinglePluginBlock, WrapPluginBlock
from .several import several


@node("plugin.custom", changes=Probe("selected parts"), effects=("resource", "random"), title="Own plugin")
def custom_plugin(
    ctx: Context,
    model: M,
    kind: PythonObject,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)],
    to_layers: Annotated[list[str], Field(max_length=256), LayerPicker()] = [],  # noqa: B006
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
    trainable: Annotated[bool, Hint(advanced=True)] = True,
) -> Adapted[M]:
    """Attach a plugin of your own class to a model; the wire it came on still means the model without it.

    The class is a SinglePluginBlock, PluginBlock, MultiPluginBlock or WrapPluginBlock (page Plugins). Its objects are
    made with the layers they are for as first arguments, each with random numbers of its own.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet.
        kind: The class and its further arguments, from python.object.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such as
            @attention, or an empty text for the whole model; with pre_hook: in front the input of the layer. A
            PluginBlock or MultiPluginBlock reads these layers.
        to_layers: Selectors of the layers that a PluginBlock or MultiPluginBlock changes; empty for the others.
        lr: Learning rate of these weights; none given: the optimizer's.
        weight_decay: Weight decay of these weights; none given: the optimizer's.
        trainable: Whether its weights are trained.

    Returns:
        model: The model with the plugin.
        params: Its weights if they are trained, for an optimizer.
        adapter: The plugin alone.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER, E_PLUGIN_PAIRS; E_OBJECT, the class is no plugin; E_LAYERS,
            to_layers is missing or has no meaning for this class.
    """
    if isinstance(model, Model):
        return several(custom_plugin, **locals())
    name = component(model)
    cls: Any = kind.cls
    pairs = issubclass(cls, (PluginBlock, MultiPluginBlock))
    if not pairs and not issubclass(cls, (SinglePluginBlock, WrapPluginBlock)):
        raise GraphError(
            "E_OBJECT",
            f"{cls.__name__} is no plugin",
            port="kind",
            hint="derive it from SinglePluginBlock, PluginBlock, MultiPluginBlock or WrapPluginBlock",
        )
    if pairs != bool(to_layers):
        said = "changes other layers than it reads" if pairs else "acts at its layers only"
        hint = "give them in to_layers" if pairs else "leave to_layers empty"
        raise GraphError("E_LAYERS", f"{cls.__name__} {said}", port="to_layers", hint=hint)

    def made(*at: Point | tuple[Point, ...]) -> Any:
        names = [[point.name for point in (part if isinstance(part, tuple) else (part,))] for part in at]
        layers = [[point.layer for point in part] if isinstance(part, tuple) else part.layer for part in at]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(ctx.seed(repr(names)))
            return kind.make(*layers)

    plugin: Plugin = cls.on(model, layers, *([to_layers] if pairs else []), made, trainable=trainable)
    return adapted(model, name, plugin, ctx.node, lr, weight_decay)
