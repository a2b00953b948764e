"""Learning rate over the steps."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint
from hcpgraph_nodes.optim.optimizer import Optimizer

Kind = Literal["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
NEEDS_TOTAL = ("linear", "cosine", "cosine_with_restarts", "polynomial")


@node("optim.schedule", effects="resource")
def schedule(
    optimizer: Optimizer,
    *,
    kind: Literal[
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"
    ] = "constant",
    warmup_steps: Annotated[int, Field(ge=0)] = 0,
    total_steps: Annotated[int, Field(ge=0)] = 0,
    cycles: Annotated[int, Field(ge=1), Hint(advanced=True)] = 1,
    power: Annotated[float, Field(gt=0), Hint(advanced=True)] = 1.0,
) -> Optimizer:
    """Change the learning rate over the optimizer steps. Source of the curves: diffusers.optimization.get_scheduler.

    The length is said here and not taken from the loop, so that training on for longer changes nothing that was done.

    Args:
        optimizer: Whose learning rate.
        kind: Form of the curve.
        warmup_steps: Steps from 0 to the full learning rate.
        total_steps: Steps until the curve has come down; needed for linear, cosine and polynomial.
        cycles: Number of hard restarts of cosine_with_restarts.
        power: Exponent of polynomial.
    """
    from diffusers.optimization import get_scheduler

    if kind in NEEDS_TOTAL and total_steps <= warmup_steps:
        raise GraphError(
            "E_SETTING",
            f"'{kind}' comes down over total_steps, which is {total_steps} with {warmup_steps} of warm-up",
            port="total_steps",
            hint="set total_steps to the steps of the training loop, and warmup_steps well below it",
        )
    scheduler = get_scheduler(
        kind,
        optimizer.optimizer,
        num_warmup_steps=warmup_steps,
        num_training_steps=total_steps or None,
        num_cycles=cycles,
        power=power,
    )
    return replace(optimizer, schedulers=(*optimizer.schedulers, scheduler))
