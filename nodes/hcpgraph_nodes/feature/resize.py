"""`feature.resize`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch.nn import functional

from hcpgraph import GraphError, node

from ..types import Features


@node("feature.resize", title="Resize features")
def resize(
    features: Features, like: Features, *, filter: Literal["bilinear", "bicubic", "area", "nearest"] = "bilinear"
) -> Features:
    """Bring the grid in which tokens lie to that of other features, so that each has one of its own place.

    Args:
        features: Features (B, L, D) of tokens that lie in a picture, of image.encode (patches) or diffusion.features.
        like: Features with a grid too.
        filter: How vectors between the old places are computed; bilinear and bicubic are antialiased.

    Returns:
        out: Features (B, L', D); L' is the number of tokens of `like`.

    Raises:
        GraphError: E_FEATURES, one of them has no grid.
    """
    if features.grid is None or like.grid is None:
        port = "features" if features.grid is None else "like"
        hint = "take tokens that lie in a picture: of image.encode with tokens set to patches"
        raise GraphError("E_FEATURES", "these features do not lie in a grid", port=port, hint=hint)
    if features.grid == like.grid:
        return features
    mode = {"nearest": "nearest-exact"}.get(filter, filter)
    options = {"antialias": True, "align_corners": False} if filter in ("bilinear", "bicubic") else {}
    count, _, width = features.data.shape
    maps = features.data.transpose(1, 2).reshape(count, width, *features.grid)
    data = functional.interpolate(maps, like.grid, mode=mode, **options).flatten(2).transpose(1, 2)
    return replace(features, data=data, grid=like.grid)
