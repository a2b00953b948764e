"""`loss.mse`."""

from __future__ import annotations

from hcpgraph import GraphError, node

from ..types import Prediction, SampleLoss, Target


def same_kind(prediction: Prediction, target: Target) -> None:
    """Raises GraphError E_PREDICTION if the two mean different things."""
    if prediction.kind != target.kind:
        raise GraphError(
            "E_PREDICTION",
            f"the model predicts {prediction.kind}, the target is {target.kind}",
            hint="wire one process to diffusion.target and diffusion.predict, or put diffusion.convert between",
        )


@node("loss.mse")
def mse(prediction: Prediction, target: Target) -> SampleLoss:
    """Squared difference of every element.

    Args:
        prediction: What the denoiser returned (B, C, h, w).
        target: What it should have returned (B, C, h, w).

    Returns:
        out: Squared differences (B, C, h, w), not reduced.

    Raises:
        GraphError: E_PREDICTION, the two mean different things.
    """
    same_kind(prediction, target)
    return SampleLoss((prediction.data - target.data).square())
