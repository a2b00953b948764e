"""The variance-preserving process of a table of timesteps, which Stable Diffusion was trained with.

Source: Ho et al. 2020, https://arxiv.org/abs/2006.11239 (equation 4): α(t) = sqrt(a_t), σ(t) = sqrt(1 − a_t), where a_t
is the cumulative product of 1 − β.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...types import Process
from .times import numbers


@dataclass(frozen=True, slots=True, eq=False)
class VariancePreserving(Process):
    """T noise levels in a table; a process time is a timestep, int64 in [0, T).

    Attributes:
        alphas_cumprod: a_t (T,), float32 in [0, 1).
        prediction_type: epsilon, v_prediction or sample.
        config: The configuration of the diffusers scheduler that it was read from.
        zero_snr: Whether a_t ends at 0; no table without numbers (on the device meta) does.
    """

    kind: ClassVar[str] = "vp"

    alphas_cumprod: Tensor
    prediction_type: str = "epsilon"
    config: dict[str, Any] = field(default_factory=dict)
    zero_snr: bool = field(init=False)

    def __post_init__(self) -> None:
        end = self.alphas_cumprod[-1]
        object.__setattr__(self, "zero_snr", not end.is_meta and not float(end) > 0)

    @property
    def num_train_timesteps(self) -> int:
        return len(self.alphas_cumprod)

    def alpha(self, t: Tensor) -> Tensor:
        return self.alphas_cumprod[numbers(t)].sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        return (1 - self.alphas_cumprod[numbers(t)]).sqrt()

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        signal = self.alphas_cumprod[numbers(t)]
        return signal.sqrt(), (1 - signal).sqrt()

    def snr(self, t: Tensor) -> Tensor:
        signal = self.alphas_cumprod[numbers(t)]
        return signal / (1 - signal)

    def emphasis(self, t: Tensor) -> Tensor:
        snr = self.snr(t)
        return {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}[self.prediction_type]

    def rate(self, t: Tensor) -> Tensor:
        return numbers(t).float() / max(self.num_train_timesteps - 1, 1)
