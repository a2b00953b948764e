"""`feature.project`."""

from __future__ import annotations

from dataclasses import replace

from hcpgraph import node

from ..model.handles import Projection
from ..projection.network import projected
from ..types import Features


@node("feature.project", title="Project features")
def project(features: Features, projection: Projection) -> Features:
    """Bring features to another width or number of tokens, with gradients of the projection's weights.

    Args:
        features: Features (B, D) or (B, L, D).
        projection: The projection; its width is D.

    Returns:
        out: Features (B, D') or (B, L', D').

    Raises:
        GraphError: E_FEATURES, they have another width, or are tokens where one vector a sample is read.
    """
    data = projected(projection, features.data, "features")
    same = data.dim() == features.data.dim() == 3 and data.shape[1] == features.data.shape[1]
    kept = same and projection.config["kind"] == "mlp"
    return replace(features, data=data, grid=features.grid if kept else None)
