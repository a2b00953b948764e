"""`train.objective`: a loss for some of the optimizers, in some of the steps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Many, node

from ..optim.optimizer import Optimizer
from ..types import Loss, Objective


@node("train.objective", aims=("optimizers",), title="Objective")
def objective(
    loss: Loss,
    optimizers: Many[Optimizer],
    *,
    every: Annotated[int, Field(ge=1)] = 1,
    start: Annotated[int, Field(ge=0)] = 0,
    stop: Annotated[int, Field(ge=1)] | None = None,
) -> Objective:
    """Say which optimizers a loss is for, and in which steps: its gradients reach the weights of these alone.

    Wire it to `loss` of the training loop. Two objectives train two networks against each other, in one step or in
    turn (`every` 2, one from step 0 and one from step 1); with `stop` a text encoder trains for a while only. Every
    objective has a forward and a backward pass of its own; they see the same batch and the same noise, and the weights
    as they are before the step. An optimizer none of whose losses is due does nothing in a step: it neither steps nor
    decays weights, its average and its schedule stand still. What only writes and stands on a loss that is not due does
    not run in that step.

    Args:
        loss: The loss.
        optimizers: Whose weights it trains; each of them is wired to the training loop too.
        every: Steps from one time to the next.
        start: First step, counted from 0.
        stop: Step from which on it is no longer due; empty: never.

    Returns:
        out: The loss with its aim, for the training loop.
    """
    return Objective(loss.data, loss.count)
