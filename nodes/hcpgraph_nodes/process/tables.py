"""What a kind of process has (torch-free): distributions of its times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Distribution = Literal["uniform", "logit_normal", "mode", "cosmap", "beta", "edm"]
NAMES: tuple[str, ...] = get_args(Distribution)
SHARES = ("uniform", "logit_normal", "mode", "cosmap", "beta")
DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {"vp": SHARES, "flow": SHARES, "edm": ("uniform", "edm")}
"""Kind of process -> how its times can be drawn."""
READ: Mapping[str, tuple[str, ...]] = {
    "mean": ("logit_normal", "edm"),
    "std": ("logit_normal", "edm"),
    "mode_scale": ("mode",),
    "alpha": ("beta",),
    "beta": ("beta",),
}
"""Setting of diffusion.timesteps -> the distributions that read it."""


def no_distribution(kind: str, distribution: str) -> str:
    """A kind of process has no such draws."""
    return f"a process of the kind {kind} has no {distribution} times; it has {', '.join(DISTRIBUTIONS[kind])}"


def no_numbers() -> str:
    """Noise levels are not numbered."""
    return "low and high are timesteps of a table, and the times of EDM are noise levels"


def no_timestep(low: int, end: int) -> str:
    """A range is empty."""
    return f"no timestep lies between {low} and {end}"
