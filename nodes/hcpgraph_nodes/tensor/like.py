"""`tensor.like`."""

from __future__ import annotations

from typing import TypeVar

from hcpgraph import GraphError, node

from ..types import Latents, Noise, Rows
from .records import with_numbers
from .shapes import misfit

T = TypeVar("T", bound=Rows)
MEANT = {Latents: "sample", Noise: "epsilon"}
"""What a prediction must be of, to be taken for latents or for noise."""


@node("tensor.like")
def like(value: Rows, like: T) -> T:
    """Take numbers for something else: a predicted picture for latents, latents for a target, a prediction for noise.

    The numbers stay as they are, and gradients flow through them. What they are taken for is said by another wire,
    such as the latents of the batch, whose own numbers are not read.

    Args:
        value: The numbers (B, …).
        like: What they are taken for, in the same shape: its type, keys and kind are kept.

    Returns:
        out: The numbers of `value` as what `like` is.

    Raises:
        GraphError: E_BATCH, E_SHAPE, the two are not of one shape; E_PREDICTION, a prediction of something else than
            what it is taken for.
    """
    if value.data.shape != like.data.shape:
        raise misfit("value", value.data.shape, like.data.shape)
    kind = getattr(value, "kind", None)
    wanted = kind and getattr(like, "kind", MEANT.get(type(like)))
    if wanted and kind != wanted:
        raise GraphError(
            "E_PREDICTION",
            f"{type(value).__name__} of {kind} is no {type(like).__name__}, which is {wanted}",
            port="value",
            hint=f"put diffusion.convert to {wanted} before it",
        )
    return with_numbers(like, value.data)
