"""`model.trainable`."""

from __future__ import annotations

from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, Probe, node
from hcpgraph.widgets import Hint, LayerPicker

from ..plugins.blocks.selector import Asked, select
from ..plugins.several import own
from ..selectors import components
from ..types import Params
from .bundle import Model, part_context
from .handles import Handle, component

M = TypeVar("M", bound=Handle)


class TrainableModel(NamedTuple, Generic[M]):
    """A model and the weights of it that are trained."""

    model: Annotated[M, Facts(family=Port("model"))]
    params: Params


@node("model.trainable", trains=("model",), changes=Probe("selected parts"))
def trainable(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = [""],  # noqa: B006
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> TrainableModel[M]:
    """Choose layers of a model whose own weights are trained (full or partial fine-tuning).

    The weights are kept in float32, whatever the precision of the rest. Several of these nodes may choose different
    layers of one model, each with its own learning rate.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such
            as @attention; an empty text is the whole model. All weights of and below the selected layers are trained.
        lr: Learning rate of these weights; none given: the optimizer's.
        weight_decay: Weight decay of these weights; none given: the optimizer's.

    Returns:
        model: The model.
        params: The chosen weights, for an optimizer.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER; the hint lists near misses.
    """
    if isinstance(model, Model):
        rates = {"lr": lr, "weight_decay": weight_decay}
        made = {
            name: trainable(part_context(ctx, name), model.part(name), layers=own("layers", layers, name), **rates)
            for name in components(layers)
        }
        params = Params(tuple(group for each in made.values() for group in each.params.groups))
        return TrainableModel(model.changed({name: each.model for name, each in made.items()}), params)
    component(model)
    root = model.root
    selected = select(root.layers, layers, Asked.of(model))
    chosen = {id(parameter): parameter for path in selected for parameter in root.layers[path].parameters()}
    if not chosen:
        raise GraphError("E_NO_LAYER", f"{', '.join(layers)}: these layers have no weights", hint="choose other layers")
    names = {id(parameter): root.parameter_name(name) for name, parameter in root.module.named_parameters()}
    for parameter in chosen.values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    root.trainable = True
    group: dict[str, Any] = {
        "name": ctx.node,
        "params": {names[key]: parameter for key, parameter in chosen.items()},
    }
    group |= {key: value for key, value in (("lr", lr), ("weight_decay", weight_decay)) if value is not None}
    return TrainableModel(model, Params((group,)))
