"""How a rectified flow moves its draws and its steps towards the noise, the more so the larger a picture is.

Source: Esser et al. 2024, https://arxiv.org/abs/2403.03206 (section 5.3.2): t' = s t / (1 + (s − 1) t). Where s follows
the number of tokens L, it is e^μ with a line μ(L), as in FLUX.1. The names are those of diffusers'
FlowMatchEulerDiscreteScheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import exp
from typing import Any, Literal

from torch import Tensor

from hcpgraph import GraphError

Mu = Callable[[int, int | None], float]
"""μ of a number of tokens and a number of steps, which is None in training."""
OF_FAMILY = frozenset({"patch", "mu_rule", "grid"})
"""What no scheduler's configuration says: the family knows it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift; it never changes α and σ of a process.

    Attributes:
        shift: s, where it is the same for all sizes; 1 leaves times as they are.
        use_dynamic_shifting: s follows the number of tokens, and `shift` is not read.
        base_shift: μ at `base_image_seq_len` tokens.
        max_shift: μ at `max_image_seq_len` tokens; the line goes on beyond both.
        base_image_seq_len: Tokens.
        max_image_seq_len: Tokens.
        time_shift_type: s is e^μ (`exponential`) or μ itself (`linear`).
        shift_terminal: Noise level of the last step, to which the sampler's steps are stretched; training is not.
        patch: Side of the square of latents that is one token.
        mu_rule: μ as another function than the line.
        grid: The sampler's steps before the shift: `once` 1, …, 1/n; `table` between the ends of the table of training,
            which the static shift has moved already, as the pipelines of SD 3 have it.
    """

    shift: float = 1.0
    use_dynamic_shifting: bool = False
    base_shift: float = 0.5
    max_shift: float = 1.15
    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    time_shift_type: Literal["exponential", "linear"] = "exponential"
    shift_terminal: float | None = None
    patch: int = 2
    mu_rule: Mu | None = None
    grid: Literal["once", "table"] = "once"

    def __post_init__(self) -> None:
        if self.shift <= 0 or not 0 < self.base_image_seq_len < self.max_image_seq_len:
            raise ValueError("shift is above 0, and 0 < base_image_seq_len < max_image_seq_len")
        if self.time_shift_type not in ("exponential", "linear"):
            raise ValueError(f"time_shift_type is exponential or linear, not {self.time_shift_type}")
        if self.time_shift_type == "linear" and self.use_dynamic_shifting and min(self.base_shift, self.max_shift) <= 0:
            raise ValueError("a linear shift is above 0")
        if self.shift_terminal is not None and not 0 <= self.shift_terminal < 1:
            raise ValueError("0 <= shift_terminal < 1")

    @classmethod
    def read(cls, config: Mapping[str, Any], **of_family: Any) -> Shift:
        """The shift of a scheduler's configuration, and what the family adds; `flow_shift` is what solvers call it."""
        known = {each.name for each in fields(cls)} - OF_FAMILY
        given = {name: config[name] for name in known if config.get(name) is not None}
        if "flow_shift" in config:
            given.setdefault("shift", config["flow_shift"])
        return cls(**given, **of_family)

    def config(self) -> dict[str, Any]:
        """Its entries in the configuration of diffusers' FlowMatchEulerDiscreteScheduler."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in OF_FAMILY}

    def tokens(self, shape: Sequence[int]) -> int:
        """The number of tokens of latents (…, h, w)."""
        return (shape[-2] // self.patch) * (shape[-1] // self.patch)

    def mu(self, tokens: int, steps: int | None = None) -> float:
        """μ for a number of tokens, and of steps where the sampler asks."""
        if self.mu_rule is not None:
            return self.mu_rule(tokens, steps)
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        return tokens * slope + (self.base_shift - slope * self.base_image_seq_len)

    def factor(self, tokens: int, steps: int | None = None) -> float:
        """s for a number of tokens."""
        if not self.use_dynamic_shifting:
            return self.shift
        mu = self.mu(tokens, steps)
        return exp(mu) if self.time_shift_type == "exponential" else mu

    def apply(self, t: Tensor, shape: Sequence[int]) -> Tensor:
        """Shares of noise in [0, 1], drawn for latents (…, h, w), moved towards the noise."""
        factor = self.factor(self.tokens(shape))
        return t if factor == 1 else factor * t / (1 + (factor - 1) * t)

    def changed(self, **settings: Any) -> Shift:
        """This shift with the settings of a node; a μ of the family's own gives way to the line.

        Raises:
            GraphError: E_SETTING, they make no shift.
        """
        try:
            return replace(self, mu_rule=None, **settings)
        except ValueError as error:
            raise GraphError("E_SETTING", str(error), hint="change the settings that the message names") from None
