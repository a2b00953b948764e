"""`loss.elements`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Rows, SampleLoss


@node("loss.elements", title="Take as loss")
def elements(value: Rows) -> SampleLoss:
    """Take numbers for losses, one an element: the end of a loss that is drawn with tensor.formula or tensor.map.

    Args:
        value: The numbers (B, …), such as a function of a prediction and a target.

    Returns:
        out: The same numbers as losses, not reduced.
    """
    return SampleLoss(value.data)
