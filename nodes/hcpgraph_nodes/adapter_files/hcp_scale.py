"""HCP-Diffusion's `alpha`, which is not the raw one: its files keep what the change is scaled by.

Source: hcpdiff/models/lora_base_patch.py (0.9.1) and rainbowneko/models/lora/lora_base_patch.py (1.10): the buffer
`alpha` is alpha / rank.
"""

from __future__ import annotations

import torch
from torch import Tensor

DIGITS = 6


def scale_of_alpha(alpha: float, rank: int) -> Tensor:
    """What HCP-Diffusion stores, a float32 scalar."""
    return torch.tensor(alpha / rank, dtype=torch.float32)


def alpha_of_scale(scale: float, rank: int) -> Tensor:
    """Raw alpha, a float32 scalar: the number of at most six digits that gives this scale, else the plain product.

    Args:
        scale: What the file holds.
        rank: Inner width, ≥ 1.
    """
    short = float(f"{scale * rank:.{DIGITS}g}")
    exact = float(scale_of_alpha(short, rank)) == float(torch.tensor(scale, dtype=torch.float32))
    return torch.tensor(short if exact else scale * rank, dtype=torch.float32)
