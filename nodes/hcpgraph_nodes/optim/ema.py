"""Exponential moving average of the trained weights."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint
from hcpgraph_nodes.optim.optimizer import Optimizer


@node("optim.ema", effects="resource", packages=("diffusers",), title="EMA")
def ema(
    optimizer: Optimizer,
    *,
    decay: Annotated[float, Field(gt=0, lt=1), Hint(primary=True)] = 0.9999,
    power: Annotated[float, Field(gt=0, le=1), Hint(advanced=True)] = 0.75,
) -> Optimizer:
    """Keep an exponential moving average of the weights, which train.averaged gives out after training.

    After step n the average moves to the weights by 1 − min(decay, 1 − n^−power): early on it follows them closely.
    The training itself does not change. Source: diffusers.training_utils.EMAModel with its warm-up.

    Args:
        optimizer: Whose weights; all of them are averaged.
        decay: Share of the average that is kept in a step, once it has warmed up.
        power: How fast it warms up: with 0.75 the decay is 0.999 after 10,000 steps, with 0.67 after 31,600.

    Raises:
        GraphError: E_EMA, the optimizer has one already.
    """
    from diffusers.training_utils import EMAModel

    if optimizer.average is not None:
        raise GraphError("E_EMA", "the optimizer already keeps an average", port="optimizer", hint="use one optim.ema")
    average = EMAModel(optimizer.names.values(), decay=decay, use_ema_warmup=True, power=power, foreach=True)
    return replace(optimizer, average=average)
