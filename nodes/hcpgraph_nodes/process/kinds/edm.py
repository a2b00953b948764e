"""The process of EDM: noise is added to the picture as it is, and the network is preconditioned.

Source: Karras et al. 2022, https://arxiv.org/abs/2206.00364 (table 1, equation 7): x_0 = c_skip x + c_out F(c_in x,
c_noise). The schedules of noise levels are those of diffusers' EDMEulerScheduler.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...types import Process
from .times import levels


@dataclass(frozen=True, slots=True, eq=False)
class Edm(Process):
    """x_σ = x_0 + σ ε; a process time is the noise level σ, float32 in [sigma_min, sigma_max].

    The mean squared error of F is the loss of the paper: its weight λ(σ) is 1 / c_out².

    Attributes:
        sigma_min: The lowest noise level.
        sigma_max: The highest one.
        sigma_data: Standard deviation of the data.
        rho: How dense low noise levels are; 7 in the paper.
        sigma_schedule: `karras`, or `exponential` with equal steps of ln σ.
        negative: The network gives −F, which diffusers' configurations call v_prediction; else they call F epsilon.
        num_train_timesteps: T of the configuration; times are not numbered.
        config: The configuration of a diffusers scheduler.
    """

    kind: ClassVar[str] = "edm"

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    sigma_data: float = 0.5
    rho: float = 7.0
    sigma_schedule: str = "karras"
    negative: bool = False
    num_train_timesteps: int = 1000
    config: dict[str, Any] = field(default_factory=dict)
    prediction_type: str = field(default="edm", init=False)

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max or self.sigma_data <= 0 or self.rho <= 0:
            raise ValueError("0 < sigma_min < sigma_max, and sigma_data and rho are above 0")
        if self.sigma_schedule not in ("karras", "exponential"):
            raise ValueError(f"sigma_schedule is karras or exponential, not {self.sigma_schedule}")

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(levels(t, self.kind))

    def sigma(self, t: Tensor) -> Tensor:
        return levels(t, self.kind)

    def emphasis(self, t: Tensor) -> Tensor:
        """1 / c_out² = 1 / sigma_data² + snr."""
        return self.snr(t) + self.sigma_data**-2

    def rate(self, t: Tensor) -> Tensor:
        low, high = self._bent(self.sigma_min), self._bent(self.sigma_max)
        sigma = levels(t, self.kind)
        bent = sigma.log() if self.sigma_schedule == "exponential" else sigma ** (1 / self.rho)
        return (bent - low) / (high - low)

    def at(self, rate: Tensor) -> Tensor:
        """The noise level that lies at a rate in [0, 1], see `rate`; float32."""
        low, high = self._bent(self.sigma_min), self._bent(self.sigma_max)
        bent = low + rate * (high - low)
        return (bent.exp() if self.sigma_schedule == "exponential" else bent**self.rho).float()

    def network_input(self, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """c_in x and c_noise."""
        sigma = levels(t, self.kind)
        scale = (sigma**2 + self.sigma_data**2) ** -0.5
        return scale.view(-1, *[1] * (noisy.dim() - 1)) * noisy, 0.25 * sigma.log()

    def network_output(self, output: Tensor) -> Tensor:
        return -output if self.negative else output

    def combination(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a and b (B,) of F = a x_0 + b ε: σ / (σ_d r) and −σ_d / r, r² = σ² + σ_d², from x_0 = c_skip x + c_out F."""
        sigma = levels(t, self.kind)
        length = (sigma**2 + self.sigma_data**2).sqrt()
        return sigma / (self.sigma_data * length), -self.sigma_data / length

    def _bent(self, sigma: float) -> float:
        return log(sigma) if self.sigma_schedule == "exponential" else float(sigma ** (1 / self.rho))
