"""`plugin.lora`: new LoRA weights on a model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hcpgraph import Context, Probe, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..model.bundle import Model
from ..model.handles import component
from .attach import ATTENTION, Adapted, M, Ranks, Rates, adapted, raw_alpha, sized
from .base import Plugin
from .blocks.layers import by_layer
from .blocks.lora import LoraBlock
from .blocks.shapes import weight_of
from .several import several


@node("plugin.lora", changes=Probe("selected parts"), effects=("resource", "random"), title="LoRA")
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
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such as
            @attention, or an empty text for the whole model. Every Linear and Conv2d among and below the selected
            layers gets a LoRA.
        rank: Inner width: a whole number, or a share between 0 and 1 of each layer's outputs, rounded, but at least 1.
        alpha: The branch is scaled by alpha / rank; none given: by 1.
        ranks: Ranks of some of the chosen layers: those among and below what a selector matches. Of several
            that mean a layer, the one with the fewest layers counts; a tie is refused.
        dropout: Share of the branch's input that is dropped in training.
        bias: Train a change of the layer's bias as well.
        init: kaiming draws the first matrix and sets the second to 0. svd starts both at the largest singular values of
            the layer's weight and takes this start off again, so that training begins with what matters most to the
            layer; the file has twice the rank.
        rslora: Scale by alpha / √rank instead of alpha / rank, so that high ranks learn as fast as low ones.
        decompose: DoRA: every output gets a magnitude of its own that is trained; the LoRA changes directions only.
        lr: Learning rate of these weights; none given: the optimizer's.
        lrs: Learning rates of some of the chosen layers: those among and below what a selector matches. Of several
            that mean a layer, the one with the fewest layers counts; a tie is refused.
        lora_plus_ratio: LoRA+: how many times faster the second matrix learns than the first; the paper takes 16.
        weight_decay: Weight decay of these weights; none given: the optimizer's.

    Returns:
        model: The model with the LoRA.
        params: Its weights, for an optimizer.
        adapter: The LoRA alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER; E_SETTING, a rank above 1 that is no whole number.
    """
    if isinstance(model, Model):
        return several(lora, **locals())
    name = component(model)
    blocks: dict[str, LoraBlock] = {}
    found, widths = sized(model, layers, rank, ranks)
    for path, layer in found.items():
        width = widths[path]
        options: dict[str, Any] = {"dropout": dropout, "bias": bias, "decomposed": decompose}
        block = LoraBlock(layer, rank=width, alpha=raw_alpha(alpha, width, rslora), **options)
        generator = ctx.generator(path)
        blocks[path] = (
            block.initialise(generator) if init == "kaiming" else block.initialise_svd(weight_of(layer), generator)
        )
    rates = by_layer(lrs, list(found), model, "lrs")
    return adapted(model, name, Plugin(blocks), ctx.node, lr, weight_decay, lrs=rates, fast=lora_plus_ratio)
