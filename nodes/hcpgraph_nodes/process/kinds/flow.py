"""The rectified flow: a straight line from the picture to the noise.

Sources: Liu et al. 2022, https://arxiv.org/abs/2209.03003; Esser et al. 2024, https://arxiv.org/abs/2403.03206.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor

from ...types import Process
from .shift import Shift
from .times import levels


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedFlow(Process):
    """x_t = (1 − t) x_0 + t ε; a process time is the share of noise, float32 in [0, 1].

    A network predicts the velocity dx_t / dt = ε − x_0 and nothing else; networks that give its negative or that are
    told 1 − t are turned by their family. Families are given T · t, as diffusers' schedulers call a timestep.

    Attributes:
        shift: What moves training draws and the sampler's steps.
        config: The configuration of the diffusers scheduler that it was read from, with the shift's entries.
        num_train_timesteps: T.
    """

    kind: ClassVar[str] = "flow"

    shift: Shift = field(default_factory=Shift)
    config: dict[str, Any] = field(default_factory=dict)
    num_train_timesteps: int = 1000
    prediction_type: str = field(default="flow", init=False)

    def __post_init__(self) -> None:
        if self.num_train_timesteps < 1:
            raise ValueError("num_train_timesteps is at least 1")

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - levels(t, self.kind)

    def sigma(self, t: Tensor) -> Tensor:
        return levels(t, self.kind)

    def emphasis(self, t: Tensor) -> Tensor:
        """x_0 = x_t − t · flow, so that an error of x_0 is t times that of the flow."""
        return levels(t, self.kind) ** -2

    def rate(self, t: Tensor) -> Tensor:
        return levels(t, self.kind)

    def network_input(self, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return noisy, levels(t, self.kind) * self.num_train_timesteps

    def shifted(self, shift: Shift) -> RectifiedFlow:
        """The same flow with another shift."""
        return replace(self, shift=shift, config={**self.config, **shift.config()})
