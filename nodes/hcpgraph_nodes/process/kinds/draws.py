"""How far from the picture, 0, to the noise, 1, the times of training lie.

All but beta are functions of a uniform number u in [0, 1), so that a draw of a sample is one number whatever the
distribution. Source of logit_normal, mode, cosmap: Esser et al. 2024, https://arxiv.org/abs/2403.03206 (section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi

import numpy as np
import torch
from torch import Tensor

SD3, EDM = (0.0, 1.0), (-1.2, 1.2)
"""Mean and standard deviation: of the logit of a share of noise (SD 3); of ln σ (Karras et al. 2022, table 1)."""


def logit_normal(u: Tensor, mean: float, std: float) -> Tensor:
    """The logit of a share is normal; a mean above 0 draws more noise."""
    return torch.sigmoid(mean + std * torch.special.ndtri(u))


def mode(u: Tensor, scale: float) -> Tensor:
    """1 − u − s (cos²(π u / 2) − 1 + u): most draws in the middle for s above 0, at the ends below 0."""
    return 1 - u - scale * (torch.cos(pi * u / 2) ** 2 - 1 + u)


def cosmap(u: Tensor) -> Tensor:
    """1 − 1 / (tan(π u / 2) + 1): the log-signal-to-noise ratio of a cosine schedule."""
    return 1 - 1 / (torch.tan(pi * u / 2) + 1)


def beta(seeds: Iterable[int], alpha: float, beta: float) -> Tensor:
    """Beta(α, β), one draw a seed; float64. torch has no such draw that takes a generator."""
    return torch.tensor([np.random.default_rng(seed).beta(alpha, beta) for seed in seeds], dtype=torch.float64)


def log_normal(u: Tensor, mean: float, std: float) -> Tensor:
    """Noise levels σ with a normal ln σ."""
    return torch.exp(mean + std * torch.special.ndtri(u))
