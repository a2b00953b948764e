"""`plugin.lora`: new LoRA weights on a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field
from torch import nn

from hcpgraph import Context, Facts, Port, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..model.handles import Handle, component
from ..types import Params
from .base import Adapter, Plugin, chosen
from .layers import by_layer, groups, ranks_of
from .lora import LoraBlock

M = TypeVar("M", bound=Handle)
ATTENTION = r"re:.*(attn[12]\.to_(q|k|v|out\.0)|self_attn\.(q|k|v|out)_proj)$"
Ranks = Annotated[dict[str, Annotated[float, Field(gt=0, le=1024)]], Field(max_length=256), Hint(advanced=True)]
Rates = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(max_length=256), Hint(advanced=True)]


class Adapted(NamedTuple, Generic[M]):
    """A model with a plugin, and the plugin."""

    model: Annotated[M, Facts(family=Port("model"))]
    params: Params
    adapter: Annotated[Adapter, Facts(family=Port("model"))]


@node("plugin.lora", effects=("resource", "random"), title="LoRA")
def lora(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = [ATTENTION],  # noqa: B006
    rank: Annotated[float, Field(gt=0, le=1024), Slider(step=1, primary=True)] = 16,
    alpha: Annotated[Annotated[float, Field(gt=0, le=1024)] | None, Slider(step=1)] = 16.0,
    ranks: Ranks = {},  # noqa: B006
    dropout: Annotated[float, Field(ge=0, lt=1), Slider(step=0.05, advanced=True)] = 0.0,
    bias: Annotated[bool, Hint(advanced=True)] = False,
    init: Annotated[Literal["kaiming", "svd"], Hint(advanced=True)] = "kaiming",
    rslora: Annotated[bool, Hint(advanced=True)] = False,
    decompose: Annotated[bool, Hint(advanced=True)] = False,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    lrs: Rates = {},  # noqa: B006
    lora_plus_ratio: Annotated[float, Field(gt=0, le=1024), Hint(advanced=True)] = 1.0,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> Adapted[M]:
    """Attach a new LoRA to a model; the wire it came on still means the model without it.

    The start is the identity. Weights are drawn per layer from this node's stream, so that adding a layer does not
    change the others. Sources: https://arxiv.org/abs/2106.09685 (LoRA), https://arxiv.org/abs/2312.03732 (rsLoRA),
    https://arxiv.org/abs/2402.09353 (DoRA), https://arxiv.org/abs/2404.02948 (start at the singular values),
    https://arxiv.org/abs/2402.12354 (LoRA+).

    Args:
        model: A denoiser, text encoder, VAE or ControlNet.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, or an empty text
            for the whole model. Every Linear and Conv2d among and below the selected layers gets a LoRA.
        rank: Inner width: a whole number, or a share between 0 and 1 of each layer's outputs, rounded, but at least 1.
        alpha: The branch is scaled by alpha / rank; none given: by 1.
        ranks: Ranks of some of the chosen layers: those among and below what a selector matches. No two may mean the
            same layer.
        dropout: Share of the branch's input that is dropped in training.
        bias: Train a change of the layer's bias as well.
        init: kaiming draws the first matrix and sets the second to 0. svd starts both at the largest singular values of
            the layer's weight and takes this start off again, so that training begins with what matters most to the
            layer; the file has twice the rank.
        rslora: Scale by alpha / √rank instead of alpha / rank, so that high ranks learn as fast as low ones.
        decompose: DoRA: every output gets a magnitude of its own that is trained; the LoRA changes directions only.
        lr: Learning rate of these weights; none given: the optimizer's.
        lrs: Learning rates of some of the chosen layers: those among and below what a selector matches. No two may mean
            the same layer.
        lora_plus_ratio: LoRA+: how many times faster the second matrix learns than the first; the paper takes 16.
        weight_decay: Weight decay of these weights; none given: the optimizer's.

    Returns:
        model: The model with the LoRA.
        params: Its weights, for an optimizer.
        adapter: The LoRA alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER; E_SETTING, a rank above 1 that is no whole number.
    """
    name = component(model)
    blocks: dict[str, LoraBlock] = {}
    found, widths = sized(model, layers, rank, ranks)
    for path, layer in found.items():
        width = widths[path]
        options: dict[str, Any] = {"dropout": dropout, "bias": bias, "decomposed": decompose}
        block = LoraBlock(layer, rank=width, alpha=raw_alpha(alpha, width, rslora), **options)
        generator = ctx.generator(path)
        blocks[path] = (
            block.initialise(generator) if init == "kaiming" else block.initialise_svd(layer.weight, generator)
        )
    rates = by_layer(lrs, list(found), model.root.layers, "lrs")
    return adapted(model, name, Plugin(blocks), ctx.node, lr, weight_decay, lrs=rates, fast=lora_plus_ratio)


def sized(
    model: Handle, selectors: Sequence[str], rank: float, ranks: Mapping[str, float]
) -> tuple[dict[str, nn.Module], dict[str, int]]:
    """The layers that get an adapter, by name, and their ranks.

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER, E_SETTING.
    """
    found = {point.path: point.layer for point in chosen(model, selectors, LoraBlock.wraps, hooks=False)}
    return found, ranks_of(rank, ranks, found, model.root.layers)


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
