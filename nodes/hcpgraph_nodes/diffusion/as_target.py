"""`diffusion.as_target`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Prediction, Target


@node("diffusion.as_target", gradient=False, title="Prediction as target")
def as_target(prediction: Prediction) -> Target:
    """Make what one model predicts the target of another: the prior of a reference model, or a teacher.

    Args:
        prediction: Of the model that is followed (B, C, h, w).

    Returns:
        out: The same numbers, without gradients.
    """
    return Target(prediction.data.detach(), prediction.kind)
