"""`tensor.scale`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from hcpgraph import node
from hcpgraph.widgets import Hint

from ..types import Numbers, Rows, wide
from .records import with_numbers
from .shapes import joined, misfit

T = TypeVar("T", bound=Numbers)


@node("tensor.scale")
def scale(value: T, weights: Rows | None = None, *, multiplier: Annotated[float, Hint(primary=True)] = 1.0) -> T:
    """Multiply numbers by a factor, and by weights of the samples or of every element.

    Args:
        value: Latents, a loss of every element, a prediction, or any other record of numbers (B, …).
        weights: One weight a sample (B,), as tensor.per_sample and tensor.formula give them, or one an element in the
            shape of `value`, where a size of 1 stands for all; gradients flow into them too.
        multiplier: One factor for all.

    Returns:
        out: value · weights · multiplier, of the type, keys and kind of `value`.

    Raises:
        GraphError: E_BATCH, the weights are of other samples; E_SHAPE, they are of another shape.
    """
    data = value.data
    if weights is not None:
        other = weights.data
        if other.dim() == 1 < data.dim() and other.shape[0] in (1, data.shape[0]):
            other = wide(other, data)
        elif not other.is_same_size(data) and joined(other.shape, data.shape) != data.shape:
            raise misfit("weights", other.shape, data.shape)
        data = data * other
    return with_numbers(value, data if multiplier == 1 else data * multiplier)
