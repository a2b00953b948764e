"""`train.averaged`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from hcpgraph import Facts, GraphError, Port, node

from ..model.handles import Weights
from ..types import Trained

W = TypeVar("W", bound=Weights)


@node("train.averaged", cache="none")
def averaged(value: W, trained: Trained) -> Annotated[W, Facts(family=Port("value"))]:
    """A model, an adapter or a word with the moving average of its trained weights instead of the last ones.

    It is a copy with weights of its own: the wire it came on still means the last weights.

    Args:
        value: What was trained: a denoiser, text encoder, VAE or ControlNet, or a LoRA, another adapter or a word, to
            save it. Weights without an average stay as they are; what was not trained is handed on.
        trained: `trained` of the loop whose optimizer goes through optim.ema.

    Raises:
        GraphError: E_NO_MODEL; E_EMA, the loop kept no average of these weights.
    """
    if not isinstance(value, Weights):
        hint = "wire what was trained: a model, an adapter or a word"
        raise GraphError("E_NO_MODEL", f"{type(value).__name__} has no weights", port="value", hint=hint)
    averages = {id(parameter): average for parameter, average in trained.averages}
    own = {id(parameter) for module in value.modules() for parameter in module.parameters()}
    if not own & averages.keys():
        if trained.averages and not value.trained:
            return value
        raise GraphError(
            "E_EMA",
            "the loop kept no average of these weights",
            port="trained",
            hint="put optim.ema between the optimizer and the loop that trains them",
        )
    return value.copy(averages)
