"""`model.average`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from torch import nn

from hcpgraph import Facts, GraphError, Port, node

from ..optim.optimizer import Optimizer
from .handles import Handle, Weights

W = TypeVar("W", bound=Weights)


@node("model.average", averages=("optimizer",), cache="none", title="Average of a model")
def average(value: W, optimizer: Optimizer) -> Annotated[W, Facts(family=Port("value"))]:
    """A model whose weights are the moving average of those in training, as it stands in every step.

    In the step it is the average before the update, and in the first one the weights themselves; in train.every it is
    the average so far. No gradients reach it. Consistency models, self-distillation and momentum encoders learn from
    such a teacher; previews show what would be saved. What is averaged takes its memory once, the rest is shared, but
    the model is copied where weights of its own are trained.

    Args:
        value: What is trained: a denoiser, text encoder, VAE or ControlNet, an adapter or a word; on it, or in its
            plugins, weights without an average stay as they are.
        optimizer: Who trains it, behind optim.ema.

    Returns:
        out: The same with the averages.

    Raises:
        GraphError: E_NO_MODEL; E_EMA, the optimizer keeps no average, or none of these weights.
    """
    if not isinstance(value, Weights):
        hint = "wire what is trained: a model, an adapter or a word"
        raise GraphError("E_NO_MODEL", f"{type(value).__name__} has no weights", port="value", hint=hint)
    if optimizer.average is None:
        hint = "put optim.ema behind the optimizer, and wire its output here and to the loop"
        raise GraphError("E_EMA", "the optimizer keeps no average", port="optimizer", hint=hint)
    pairs = zip(optimizer.names.values(), optimizer.average.shadow_params, strict=True)
    averages = {id(trained): nn.Parameter(shadow, requires_grad=False) for trained, shadow in pairs}
    own = {id(parameter) for module in value.modules() for parameter in module.parameters()}
    if own.isdisjoint(averages):
        if not value.trained:
            return value
        hint = "wire the optimizer that its params go to"
        raise GraphError("E_EMA", "the optimizer trains none of these weights", port="optimizer", hint=hint)
    return value.following(averages) if isinstance(value, Handle) else value.copy(averages)
