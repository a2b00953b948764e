"""Functions of one number that nodes offer by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": torch.neg,
    "square": torch.square,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "log_sigmoid": functional.logsigmoid,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
"""Name -> −x, x², |x|, √x, eˣ, ln x, ln σ(x) = −ln(1 + e⁻ˣ), ln(1 + eˣ), tanh x, σ(x) = 1 / (1 + e⁻ˣ)."""
