"""`plugin.lora`: new LoRA weights on a model."""

from __future__ import annotations

from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import Context, Facts, Port, node
from hcpgraph.widgets import Hint, LayerPicker, Slider

from ..model.handles import Handle, component
from ..types import Params
from .base import Adapter, Plugin, wrap
from .lora import LoraBlock

M = TypeVar("M", bound=Handle)
ATTENTION = r"re:.*(attn[12]\.to_(q|k|v|out\.0)|self_attn\.(q|k|v|out)_proj)$"


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
    rank: Annotated[int, Field(ge=1, le=1024), Slider(step=1, primary=True)] = 16,
    alpha: Annotated[float, Field(gt=0, le=1024), Slider(step=1)] = 16.0,
    dropout: Annotated[float, Field(ge=0, lt=1), Slider(step=0.05, advanced=True)] = 0.0,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
) -> Adapted[M]:
    """Attach a new LoRA to a model; the wire it came on still means the model without it.

    The start is the identity. Weights are drawn per layer from this node's stream, so that adding a layer does not
    change the others.

    Args:
        model: A denoiser, text encoder or VAE.
        layers: Selectors: an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, or an empty text
            for the whole model. Every Linear and Conv2d among and below the selected layers gets a LoRA.
        rank: Inner width.
        alpha: The branch is scaled by alpha / rank.
        dropout: Share of the branch's input that is dropped in training.
        lr: Learning rate of these weights; none given: the optimizer's.

    Returns:
        model: The model with the LoRA.
        params: Its weights, for an optimizer.
        adapter: The LoRA alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL, E_SELECTOR, E_NO_LAYER.
    """
    name = component(model)
    blocks = wrap(
        model,
        layers,
        LoraBlock,
        lambda path, layer: LoraBlock(layer, rank=rank, alpha=alpha, dropout=dropout).initialise(ctx.generator(path)),
    )
    return adapted(model, name, Plugin(blocks), ctx.node, lr)


def adapted(
    model: Any, name: str, plugin: Plugin, owner: str, lr: float | None, weight_decay: float | None = None
) -> Adapted[Any]:
    """Attach a plugin and make the node's outputs.

    Args:
        model: The model.
        name: Which component it is.
        plugin: The plugin.
        owner: Name of the parameter group: the node's id.
        lr: Learning rate of the plugin's weights; none given: the optimizer's.
        weight_decay: Weight decay of them; none given: the optimizer's.
    """
    handle: Handle = model.attach(plugin)
    group: dict[str, Any] = {"name": owner, "params": plugin.file_parameters()}
    group |= {key: value for key, value in (("lr", lr), ("weight_decay", weight_decay)) if value is not None}
    params = Params((group,) if plugin.trainable and group["params"] else ())
    kind = getattr(model, "prediction_type", "epsilon")
    return Adapted(handle, params, Adapter(plugin, name, model.family, kind))
