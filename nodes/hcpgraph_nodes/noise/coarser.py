"""Fields of coarse Gaussian noise brought to a finer size, and their variance, which interpolation lowers."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

Mode = Literal["bilinear", "nearest"]
Size = tuple[int, int]


def upsampled(field: Tensor, size: Size, mode: Mode) -> Tensor:
    """A field (B, C, h', w') in the size h × w."""
    return interpolate(field, size=size, mode=mode, align_corners=False if mode == "bilinear" else None)


@lru_cache(maxsize=1024)
def variance(small: Size, size: Size, mode: Mode) -> Tensor:
    """The variance (h, w) of `upsampled` white noise of variance 1: the sum of the squared weights at every place."""
    if mode == "nearest":
        return torch.ones(size)
    high, wide = (_along(few, many) for few, many in zip(small, size, strict=True))
    return high[:, None] * wide


def _along(few: int, many: int) -> Tensor:
    """Linear interpolation is a matrix along each side; the sums of squares of its rows (many,)."""
    weights = interpolate(torch.eye(few)[None], size=many, mode="linear", align_corners=False)[0]
    return weights.square().sum(0)


def coarser(size: Size, factor: float) -> Size:
    """A size divided by a factor, at least 1 each way."""
    return max(1, int(size[0] / factor)), max(1, int(size[1] / factor))
