"""What nodes that attach a plugin share: their port types, the layers and widths they mean, the adapter they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import Field
from torch import nn

from hcpgraph import Facts, GraphError, Port
from hcpgraph.widgets import Hint

from ..model.handles import Handle
from ..types import Params
from .base import Adapter, Plugin, chosen
from .blocks.layers import groups, ranks_of
from .blocks.lora import LoraBlock

M = TypeVar("M", bound=Handle)
ATTENTION = "@attention"
Ranks = Annotated[dict[str, Annotated[float, Field(gt=0, le=1024)]], Field(max_length=256), Hint(advanced=True)]
Rates = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(max_length=256), Hint(advanced=True)]


class Adapted(NamedTuple, Generic[M]):
    """A model with a plugin, and the plugin."""

    model: Annotated[M, Facts(family=Port("model"))]
    params: Params
    adapter: Annotated[Adapter, Facts(family=Port("model"))]


def sized(
    model: Handle, selectors: Sequence[str], rank: float, ranks: Mapping[str, float]
) -> tuple[dict[str, nn.Module], dict[str, int]]:
    """The layers that get an adapter, by name, and their ranks.

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER, E_SETTING.
    """
    found = {point.path: point.layer for point in chosen(model, selectors, LoraBlock.wraps, hooks=False)}
    return found, ranks_of(rank, ranks, found, model)


def standing(model: Handle, adapter: Adapter) -> Plugin:
    """The plugin of a model's stack that is an adapter's, be it with another strength.

    Raises:
        GraphError: E_NOT_ATTACHED.
    """
    found: Any = next((plugin for plugin in model.stack if plugin.source is adapter.plugin), None)
    if found is None:
        raise GraphError(
            "E_NOT_ATTACHED",
            f"the plugin, made for a {adapter.component}, is not among the {len(model.stack)} on this model",
            port="adapter",
            hint="wire the adapter of a node that this model came through; a copy has plugins of its own",
        )
    plugin: Plugin = found
    return plugin


def raw_alpha(alpha: float | None, rank: int, rslora: bool = False) -> float:
    """Alpha as a block and a file have it, always for alpha / rank; none given: for a scale of 1."""
    if alpha is None:
        return float(rank)
    return alpha * sqrt(rank) if rslora else alpha


def adapted(
    model: Any,
    name: str,
    plugin: Plugin,
    owner: str,
    lr: float | None,
    weight_decay: float | None = None,
    *,
    lrs: Mapping[str, float] | None = None,
    fast: float = 1.0,
) -> Adapted[Any]:
    """Attach a plugin and make the node's outputs.

    Args:
        model: The model.
        name: Which component it is.
        plugin: The plugin.
        owner: Name of the parameter groups: the node's id.
        lr: Learning rate of the plugin's weights; none given: the optimizer's.
        weight_decay: Weight decay of them; none given: the optimizer's.
        lrs: Learning rates of layers that have one of their own.
        fast: How many times faster the weights learn that LoRA+ makes faster.
    """
    handle: Handle = model.attach(plugin.eval())
    made = groups(plugin, owner, lr=lr, weight_decay=weight_decay, lrs=lrs or {}, fast=fast)
    params = Params(made if plugin.trainable else ())
    kind = getattr(model, "prediction_type", "epsilon")
    return Adapted(handle, params, Adapter(plugin, name, model.family, kind, model.config))
