"""Adapters of layers of the original network as adapters of the layers that a model here has."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .canonical import BIAS, DIFF, DOWN, UP, Weights, with_alpha
from .fused import cut, halves_swapped, obstacle, unswappable
from .stems import Target


def divided(target: Target, weights: Weights, rows: Mapping[str, int]) -> dict[str, Weights] | str:
    """The adapters of the layers that a target means, or why there are none.

    Args:
        target: What the file calls the layer.
        weights: A whole adapter of it.
        rows: Outputs of the layers by name.

    The adapter has the sizes of the layers, see `misfit`.
    """
    if target.swapped:
        if unswappable(weights):
            return "the first factor of the LoKr has no halves that could change places as those of the layer do"
        weights = halves_swapped(weights)
    if len(target.paths) == 1:
        return {target.paths[0]: weights}
    if reason := obstacle(target.paths, dict.fromkeys(target.paths, weights)):
        return reason
    parts = cut(with_alpha(weights), [rows[path] for path in target.paths])
    return {path: part for path, part in zip(target.paths, parts, strict=True) if part}


def misfit(target: Target, weights: Mapping[str, Tensor], rows: Mapping[str, int]) -> str | None:
    """What is wrong with the sizes of an adapter of several layers, or None."""
    if len(target.paths) == 1:
        return None
    needed = sum(rows[path] for path in target.paths)
    for name in sorted(weights.keys() & {UP, DIFF, BIAS}):
        if len(weights[name]) != needed:
            return f"{name} of the shape {list(weights[name].shape)}, where the layers have {needed} outputs"
    if {UP, DOWN} <= weights.keys() and weights[UP].shape[1] != len(weights[DOWN]):
        return f"{UP} of the shape {list(weights[UP].shape)} on {DOWN} of the shape {list(weights[DOWN].shape)}"
    return None
