"""`plugin.loha`: new LoHa weights on a model."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hcpgraph import Context, Probe, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..model.bundle import Model
from ..model.handles import component
from .attach import ATTENTION, Adapted, M, Ranks, Rates, adapted, raw_alpha, sized
from .base import Plugin
from .blocks.layers import by_layer
from .blocks.loha import LohaBlock
from .several import several


@node("plugin.loha", changes=Probe("selected parts"), effects=("resource", "random"), title="LoHa")
def loha(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = [ATTENTION],  # noqa: B006
    rank: Annotated[float, Field(gt=0, le=1024), Slider(step=1, primary=True)] = 8,
    alpha: Annotated[Annotated[float, Field(gt=0, le=1024)] | None, Slider(step=1)] = 4.0,
    ranks: Ranks = {},  # noqa: B006
    dropout: Annotated[float, Field(ge=0, lt=1), Slider(step=0.05, advanced=True)] = 0.0,
    decompose: Annotated[bool, Hint(advanced=True)] = False,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    lrs: Rates = {},  # noqa: B006
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> Adapted[M]:
    """Attach a new LoHa to a model: its change is the product, number by number, of two low-rank matrices.

    It has twice the weights of a LoRA of this rank, but its change can have the square of the rank. The start
    is the identity. Sources: https://arxiv.org/abs/2108.06098 (FedPara), https://arxiv.org/abs/2309.14859 (LyCORIS).

    Args:
        model: A denoiser, text encoder, VAE or ControlNet; the wire it came on still means the model without it.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such as
            @attention, or an empty text for the whole model. Every Linear and Conv2d among and below the selected
            layers gets a LoHa.
        rank: Inner width of both matrices: a whole number, or a share between 0 and 1 of each layer's outputs, rounded,
            but at least 1.
        alpha: The change is scaled by alpha / rank; none given: by 1.
        ranks: Ranks of some of the chosen layers: those among and below what a selector matches. Of several
            that mean a layer, the one with the fewest layers counts; a tie is refused.
        dropout: Share of the branch's input that is dropped in training.
        decompose: DoRA: every output gets a magnitude of its own that is trained; the LoHa changes directions only.
        lr: Learning rate of these weights; none given: the optimizer's.
        lrs: Learning rates of some of the chosen layers: those among and below what a selector matches. Of several
            that mean a layer, the one with the fewest layers counts; a tie is refused.
        weight_decay: Weight decay of these weights; none given: the optimizer's.

    Returns:
        model: The model with the LoHa.
        params: Its weights, for an optimizer.
        adapter: The LoHa alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER; E_SETTING, a rank above 1 that is no whole number.
    """
    if isinstance(model, Model):
        return several(loha, **locals())
    name = component(model)
    found, widths = sized(model, layers, rank, ranks)
    options: dict[str, Any] = {"dropout": dropout, "decomposed": decompose}
    blocks = {
        path: LohaBlock(layer, rank=widths[path], alpha=raw_alpha(alpha, widths[path]), **options).initialise(
            ctx.generator(path)
        )
        for path, layer in found.items()
    }
    rates = by_layer(lrs, list(found), model, "lrs")
    return adapted(model, name, Plugin(blocks), ctx.node, lr, weight_decay, lrs=rates)
