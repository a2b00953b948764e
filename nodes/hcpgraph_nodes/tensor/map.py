"""`tensor.map`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from hcpgraph import node
from hcpgraph.widgets import Hint

from ..types import Numbers
from .functions import FUNCTIONS
from .records import with_numbers
from .rule import bounds, refuse

T = TypeVar("T", bound=Numbers)
Function = Literal[
    "neg", "square", "abs", "sqrt", "exp", "log", "log_sigmoid", "softplus", "tanh", "sigmoid", "clamp"
]  # fmt: skip


@node("tensor.map")
def map_numbers(
    value: T,
    *,
    function: Annotated[Function, Hint(primary=True)] = "square",
    low: float | None = None,
    high: float | None = None,
) -> T:
    """Put every number through a function.

    Args:
        value: Latents, a loss, noise, or any other record of numbers (B, …).
        function: −x (neg), x² (square), |x| (abs), √x (sqrt), e^x (exp), ln x (log), ln(1 / (1 + e^−x)) (log_sigmoid),
            ln(1 + e^x) (softplus), tanh x, 1 / (1 + e^−x) (sigmoid), or x between `low` and `high` (clamp).
        low: Lowest number that `clamp` lets through; none: no bound. Only `clamp` takes it.
        high: Highest number that `clamp` lets through; none: no bound. Only `clamp` takes it.

    Returns:
        out: The numbers, of the type, keys and kind of `value`.

    Raises:
        GraphError: E_SETTING, a bound for another function, or none for `clamp`; E_RANGE, low is above high.
    """
    bare = low is None and high is None
    if (function == "clamp") is bare or (low is not None and high is not None and low > high):
        refuse(bounds(function, low, high))
    return with_numbers(value, FUNCTIONS[function](value.data) if bare else value.data.clamp(low, high))
