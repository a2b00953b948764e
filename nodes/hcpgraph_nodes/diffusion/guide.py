"""`diffusion.guide`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Slider

from ..types import Prediction


@node("diffusion.guide")
def guide(
    positive: Prediction,
    negative: Prediction,
    *,
    scale: Annotated[float, Field(ge=0, le=100), Slider(step=0.5)] = 3.0,
) -> Prediction:
    """Classifier-free guidance: away from the negative, towards the positive prediction.

    Args:
        positive: Prediction with the wanted condition.
        negative: Prediction with the unwanted or empty condition.
        scale: 1 gives the positive prediction. Source: Ho & Salimans 2022, https://arxiv.org/abs/2207.12598

    Returns:
        out: negative + scale · (positive − negative).
    """
    return Prediction(negative.data + scale * (positive.data - negative.data), positive.kind)
