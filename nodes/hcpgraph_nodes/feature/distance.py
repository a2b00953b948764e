"""`feature.distance`."""

from __future__ import annotations

from typing import Annotated, Literal

from torch.nn import functional

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..types import Features, SampleLoss


@node("feature.distance", title="Feature distance")
def distance(
    features: Features, target: Features, *, kind: Annotated[Literal["mse", "l1", "cosine"], Hint(primary=True)] = "mse"
) -> SampleLoss:
    """How far features lie apart, vector by vector, with gradients of both: a perceptual loss, or that of REPA.

    Sources: Johnson et al. 2016, https://arxiv.org/abs/1603.08155 (mse); Yu et al. 2024, "REPA",
    https://arxiv.org/abs/2410.06940, equation 8 (the cosine of tokens; this is one more than its negative).

    Args:
        features: Features (B, D) or (B, L, D).
        target: Features of the same shape; put tensor.stop_gradient before it if it is not to learn.
        kind: `mse` is the squared difference of every number, `l1` the absolute one, `cosine` 1 − the cosine of two
            vectors, in [0, 2].

    Returns:
        out: mse and l1 in the shape of the features, cosine (B,) or (B, L); not reduced.

    Raises:
        GraphError: E_FEATURES, the shapes differ.
    """
    if features.data.shape != target.data.shape:
        shapes = " and ".join(str(list(each.data.shape)) for each in (features, target))
        hint = "bring grids to one size with feature.resize, and widths with feature.project"
        raise GraphError("E_FEATURES", f"features of the shapes {shapes}", port="target", hint=hint)
    if kind == "cosine":
        return SampleLoss(1 - functional.cosine_similarity(features.data, target.data, dim=-1))
    difference = features.data - target.data
    return SampleLoss(difference.square() if kind == "mse" else difference.abs())
