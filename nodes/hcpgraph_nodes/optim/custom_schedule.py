"""Any learning rate schedule of torch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from hcpgraph import GraphError, node

from ..python.object import PythonObject
from .optimizer import Optimizer
from .scheduler import Scheduler

if TYPE_CHECKING:
    from typing import Any


@node("optim.custom_schedule", effects="resource", title="Any schedule")
def custom_schedule(
    optimizer: Optimizer,
    kind: PythonObject,
    *,
    steps_argument: Annotated[str, Field(pattern=r"^\w*$")] = "",
    total_steps: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto",
) -> Optimizer:
    """Change the learning rate by any class that you trust, such as torch.optim.lr_scheduler:OneCycleLR.

    It is stepped after every optimizer step. A class that takes the length of the training gets it: name the argument,
    `T_max` of CosineAnnealingLR or `total_steps` of OneCycleLR. After that many steps the learning rate stays.

    Args:
        optimizer: Whose learning rate.
        kind: The class and its further arguments, from python.object.
        steps_argument: Argument of the class that takes the number of steps; empty: it takes none.
        total_steps: That number; `auto` takes all steps that the optimizer will get.

    Raises:
        GraphError: E_OBJECT, the class is no schedule that goes by steps, refuses its arguments, or has the number
            of steps among them already; E_SETTING, the optimizer has a schedule already.
    """
    name = kind.cls.__name__
    if not issubclass(kind.cls, LRScheduler) or issubclass(kind.cls, ReduceLROnPlateau):
        hint = "name a subclass of torch.optim.lr_scheduler.LRScheduler that needs no metric"
        raise GraphError("E_OBJECT", f"{name} is no schedule that goes by steps", port="kind", hint=hint)
    if steps_argument in kind.args:
        message = f"{name} is given {steps_argument} = {kind.args[steps_argument]} and by total_steps"
        raise GraphError("E_OBJECT", message, port="steps_argument", hint=f"take {steps_argument} out of its arguments")
    length = total_steps if steps_argument and isinstance(total_steps, int) else None
    waits = bool(steps_argument) and length is None
    made = partial(_made, kind, optimizer, steps_argument)
    return optimizer.scheduled(Scheduler(made, length, waits=waits, about=partial(_about, name)))


def _about(name: str, total: int | None) -> str:
    return name if total is None else f"{name} over {total} steps"


def _made(kind: PythonObject, optimizer: Optimizer, argument: str, total: int | None) -> Any:
    whole = replace(kind, args={**kind.args, argument: total}) if argument else kind
    return whole.make(optimizer.optimizer)
