"""`plugin.decoupled_attention`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hcpgraph import Context, Probe, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..condition.part import PartName
from ..model.bundle import Model
from ..model.handles import component
from .attach import Adapted, M, adapted
from .blocks.decoupled import DecoupledAttentionBlock, attentions
from .blocks.selector import Point
from .several import several

OUT = ".to_out.0"
"""The output layer of an attention, below its name."""


@node(
    "plugin.decoupled_attention",
    changes=Probe("selected parts"),
    effects=("resource", "random"),
    title="Decoupled attention",
)
def decoupled_attention(
    ctx: Context,
    model: M,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=256), LayerPicker(primary=True)] = ["@cross_attention"],  # noqa: B006
    part: Annotated[PartName, Hint(primary=True)] = "image_embeds",
    width: Annotated[int, Field(ge=1, le=16384)] | None = None,
    strength: Annotated[float, Field(ge=-10, le=10), Slider(step=0.05, primary=True)] = 1.0,
    init: Literal["copy", "random", "zero"] = "copy",
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> Adapted[M]:
    """Let attentions read further tokens beside the text, by keys and values of their own, as IP-Adapter does.

    What they give is added to what the attention gives of the text: Ye et al. 2023, https://arxiv.org/abs/2308.06721,
    equation 5. The tokens are a part of the conditioning, which condition.part puts there. In sampling the negative
    side has those of the positive one unless it has the part itself, such as that of features of nothing but 0.

    Args:
        model: A denoiser with attentions whose queries, keys and values are layers; the wire it came on still means the
            model without it.
        layers: Selectors; of the attentions among and below what they match, or in which that lies.
        part: The part of the conditioning that has the tokens (B, L, D).
        width: D; none given: what the attention's own keys read.
        strength: Factor of what is added, λ of the equation; it is not stored in files.
        init: First keys and values: a `copy` of the attention's own, as IP-Adapter has it, `random`, or `zero` for
            values, so that it changes nothing at first.
        lr: Learning rate of these weights; none given: the optimizer's.
        weight_decay: Weight decay of these weights; none given: the optimizer's.

    Returns:
        model: The model with the keys and values.
        params: Their weights, for an optimizer.
        adapter: The plugin alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR; E_NO_LAYER, no attention; E_SETTING, a copy of layers of another width; when
            the model runs, E_SIDE_INPUT, a conditioning without the part, and E_FEATURES, one of another width.
    """
    if isinstance(model, Model):
        return several(decoupled_attention, **locals())
    name = component(model)
    found = attentions(model, layers)
    queries = {f"{path}.to_q": path for path in found}

    def made(query: Point, out: Point) -> DecoupledAttentionBlock:
        attention: Any = found[queries[query.path]]
        options = {"heads": attention.heads, "width": width or attention.to_k.in_features}
        block = DecoupledAttentionBlock(query.layer, out.layer, **options, part=part, strength=strength)
        return block.initialise(init, attention, ctx.generator(queries[query.path]))

    outs = [f"pre_hook:{path}{OUT}" for path in found]
    plugin = DecoupledAttentionBlock.on(model, list(queries), outs, made)
    return adapted(model, name, plugin, ctx.node, lr, weight_decay)
