"""`plugin.full`: a change of whole layers of a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, Probe, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..model.bundle import Model
from ..model.handles import component
from .attach import Adapted, M, Rates, adapted, sized
from .base import Plugin
from .blocks.full import FullBlock
from .blocks.layers import by_layer
from .several import several

KEYS_AND_VALUES = r"re:.*attn2\.to_[kv]$"


@node("plugin.full", changes=Probe("selected parts"), effects="resource", title="Full difference")
def full(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = [KEYS_AND_VALUES],  # noqa: B006
    bias: Annotated[bool, Hint(advanced=True)] = True,
    dropout: Annotated[float, Field(ge=0, lt=1), Slider(step=0.05, advanced=True)] = 0.0,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    lrs: Rates = {},  # noqa: B006
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> Adapted[M]:
    """Attach a change of whole layers to a model: trained like the layers themselves, which stay as they are.

    Without other settings it is what Custom Diffusion trains (https://arxiv.org/abs/2212.04488): the key and value
    projections of a UNet's cross attention. The start is the identity.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet; the wire it came on still means the model without it.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such as
            @attention, or an empty text for the whole model. Every Linear and Conv2d among and below the selected
            layers gets a difference.
        bias: Train the bias as well where the layer has one.
        dropout: Share of the branch's input that is dropped in training.
        lr: Learning rate of these weights; none given: the optimizer's.
        lrs: Learning rates of some of the chosen layers: those among and below what a selector matches. Of several
            that mean a layer, the one with the fewest layers counts; a tie is refused.
        weight_decay: Weight decay of the difference, which draws the layers back to what they were; none given: the
            optimizer's.

    Returns:
        model: The model with the difference.
        params: Its weights, for an optimizer.
        adapter: The difference alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER.
    """
    if isinstance(model, Model):
        return several(full, **locals())
    name = component(model)
    found, _ = sized(model, layers, 1, {})
    blocks = {
        path: FullBlock(layer, dropout=dropout, bias=bias and layer.bias is not None) for path, layer in found.items()
    }
    rates = by_layer(lrs, list(found), model, "lrs")
    return adapted(model, name, Plugin(blocks), ctx.node, lr, weight_decay, lrs=rates)
