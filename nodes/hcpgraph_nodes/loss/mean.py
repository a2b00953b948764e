"""`loss.mean`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Loss, SampleLoss


@node("loss.mean")
def mean(loss: SampleLoss) -> Loss:
    """Mean over all elements of all samples.

    Args:
        loss: Losses (B, …).

    Returns:
        out: The mean, and B as the number of samples it stands for.
    """
    return Loss(loss.data.mean(), len(loss.data))
