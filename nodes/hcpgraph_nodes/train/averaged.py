"""`train.averaged`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from hcpgraph import Facts, GraphError, Port, node

from ..model.handles import Handle, component
from ..types import Trained

M = TypeVar("M", bound=Handle)


@node("train.averaged", cache="none")
def averaged(value: M, trained: Trained) -> Annotated[M, Facts(family=Port("value"))]:
    """A model with the moving average of its trained weights instead of the last ones.

    It is a copy with weights of its own: the wire it came on still means the last weights.

    Args:
        value: The denoiser, text encoder, VAE or ControlNet that was trained; weights without an average stay as they
            are.
        trained: `trained` of the loop whose optimizer goes through optim.ema.

    Raises:
        GraphError: E_NO_MODEL; E_EMA, the loop kept no average of this model's weights.
    """
    component(value)
    averages = {id(parameter): average for parameter, average in trained.averages}
    own = {id(parameter) for module in value.modules() for parameter in module.parameters()}
    if not own & averages.keys():
        raise GraphError(
            "E_EMA",
            "the loop kept no average of this model's weights",
            port="trained",
            hint="put optim.ema between the optimizer and the loop that trains this model",
        )
    return value.copy(averages)
