"""Learning rate over the steps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint
from hcpgraph_nodes.optim.curves import ENDING, Kind, depends, warmup
from hcpgraph_nodes.optim.optimizer import Optimizer
from hcpgraph_nodes.optim.scheduler import Scheduler

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LambdaLR


@node("optim.schedule", effects="resource")
def schedule(
    optimizer: Optimizer,
    *,
    kind: Kind = "constant",
    warmup_steps: Annotated[float, Field(ge=0)] = 0,
    total_steps: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto",
    cycles: Annotated[int, Field(ge=1), Hint(advanced=True)] = 1,
    power: Annotated[float, Field(gt=0), Hint(advanced=True)] = 1.0,
) -> Optimizer:
    """Change the learning rate over the optimizer steps. Source of the curves: diffusers.optimization.get_scheduler.

    The curve is as long as the training, in all passes of flow.repeat together, unless its length is written. A curve
    with an end keeps its last value after it. A longer training follows another curve: it asks before it goes on from a
    shorter one.

    Args:
        optimizer: Whose learning rate.
        kind: Form of the curve.
        warmup_steps: Steps from 0 to the full learning rate; below 1 it is a share of all steps, 0.05 for 5 %.
        total_steps: Steps until the curve has come down; `auto` (in older files 0) takes all that the optimizer will
            get.
        cycles: Number of hard restarts of cosine_with_restarts.
        power: Exponent of polynomial.

    Raises:
        GraphError: E_SETTING, the warm-up is as long as a written length or no whole number of steps; the optimizer has
            a schedule already.
    """
    if warmup_steps >= 1 and warmup_steps != int(warmup_steps):
        raise GraphError("E_SETTING", f"a warm-up of {warmup_steps:g} steps is no whole number", port="warmup_steps")
    length = total_steps if isinstance(total_steps, int) and total_steps > 0 else None
    if kind in ENDING and length is not None and length <= warmup(warmup_steps, length):
        raise GraphError(
            "E_SETTING",
            f"'{kind}' comes down over total_steps, which is {length} with {warmup(warmup_steps, length)} of warm-up",
            port="total_steps",
            hint="set total_steps to auto, and warmup_steps to a share such as 0.05",
        )
    ends = depends({"kind": kind, "warmup_steps": warmup_steps})
    made = partial(_curve, optimizer, kind, warmup_steps, cycles, power)
    about = partial(_about, kind, warmup_steps)
    return optimizer.scheduled(Scheduler(made, length if ends else None, waits=ends and length is None, about=about))


def _about(kind: Kind, warmup_steps: float, total: int | None) -> str:
    over = "" if total is None else f" over {total} steps"
    first = warmup(warmup_steps, total) if kind != "constant" else 0
    return f"{kind}{over}" + (f", {first} of warm-up" if first else "")


def _curve(
    optimizer: Optimizer, kind: Kind, warmup_steps: float, cycles: int, power: float, total: int | None
) -> LambdaLR:
    from diffusers.optimization import get_scheduler

    made: LambdaLR = get_scheduler(
        kind,
        optimizer.optimizer,
        num_warmup_steps=warmup(warmup_steps, total),
        num_training_steps=total,
        num_cycles=cycles,
        power=power,
    )
    return made
