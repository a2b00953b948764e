"""`value.curve`: a number that goes along a curve of the steps."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import GraphError, node

from ..optim.curves import goes, warmup


@node("value.curve", fold=True, title="Value along a curve")
def curve(
    step: int,
    *,
    shape: Literal["constant", "linear", "cosine", "polynomial", "exponential"] = "cosine",
    start: float = 1.0,
    end: float = 0.0,
    over: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto",
    warmup_steps: Annotated[float, Field(ge=0)] = 0.0,
    power: Annotated[float, Field(gt=0)] = 2.0,
) -> float:
    """A number that goes from one value to another over the steps, for settings that follow the training.

    With t from 0 after the warm-up to 1 at step `over`, a to b is: linear a + (b − a)·t; cosine b + (a − b)·(1 + cos
    πt) / 2; polynomial b + (a − b)·(1 − t)^power; exponential a·(b / a)^t. Afterwards it stays at the end.

    Args:
        step: Where it is: `update` of a training loop, `step` of what runs now and then, `index` of a repeated region.
        shape: Its form; `constant` stays at the start.
        start: The value at the first step, or after the warm-up.
        end: The value at step `over`, which is the first one after so many steps.
        over: Steps until the end; `auto` is all the steps of the loop whose steps it follows.
        warmup_steps: Steps in which it rises from 0 to the start in a straight line; below 1 a share of `over`.
        power: Exponent of the polynomial.

    Raises:
        GraphError: E_LENGTH, `over` is auto and no loop says it; E_VALUE, an exponential curve through or from zero.
    """
    if over == "auto":
        if not goes({"shape": shape, "warmup_steps": warmup_steps}):
            over = 1
        else:
            message = "'over' is auto, and it follows the steps of no loop whose length is known"
            raise GraphError("E_LENGTH", message, port="over", hint="write the number of steps")
    first = warmup(warmup_steps, over)
    if step < first:
        return start * step / first
    if shape == "constant":
        return start
    t = min((step - first) / (over - first), 1.0) if over > first else 1.0
    if shape == "linear":
        return start + (end - start) * t
    if shape == "cosine":
        return end + (start - end) * (1 + math.cos(math.pi * t)) / 2
    if shape == "polynomial":
        return end + (start - end) * math.pow(1 - t, power)
    if start * end <= 0:
        message = f"an exponential curve cannot go from {start:g} to {end:g}"
        raise GraphError("E_VALUE", message, port="end", hint="give both the same sign, and none zero")
    return start * math.pow(end / start, t)
