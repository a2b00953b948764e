"""The points of a process that a sampler of first order visits: DDIM's of a table, Euler's of a flow and of EDM."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..types import Process
from .samplers import Sampler
from .schedulers import make_scheduler, set_steps

Spacing = Literal["auto", "trailing", "leading", "linspace"]
FIRST_ORDER: dict[str, Sampler] = {"vp": "ddim", "flow": "euler", "edm": "euler"}
"""Kind of process -> the sampler whose steps `sample.step` makes."""


class Grid(NamedTuple):
    """The points of a sampler.

    Attributes:
        times: Process times (n,), the noisiest first; the end, 0, is none of them.
        start: What noise is multiplied with at the first of them.
    """

    times: Tensor
    start: float


@lru_cache(maxsize=64)
def grid(process: Process, steps: int, spacing: Spacing, size: tuple[int, int], device: torch.device) -> Grid:
    """The points of a sampler, as diffusers spreads them.

    Args:
        process: The forward process.
        steps: How many points.
        spacing: Of a table; `auto` as the model's configuration says, other processes have their own alone.
        size: Height and width of the latents, which a flow's dynamic shift looks at.
        device: Of the points.

    Raises:
        GraphError: E_SETTING, the process has not so many or so few points, or no such spacing.
    """
    solver: Any = make_scheduler(FIRST_ORDER[process.kind], process)
    if spacing != "auto":
        if process.kind != "vp":
            message = f"{spacing} is a spacing of a table, and the process is of the kind {process.kind}"
            raise GraphError("E_SETTING", message, port="spacing", hint="set spacing to auto")
        solver.register_to_config(timestep_spacing=spacing)
    set_steps(solver, steps, torch.device("cpu"), process, size)
    times = solver.timesteps if process.kind == "vp" else solver.sigmas[:steps]
    return Grid(times.to(device), float(getattr(solver, "init_noise_sigma", 1.0)))


def size_of(shape: Any) -> tuple[int, int]:
    """Height and width of latents (…, h, w)."""
    return int(shape[-2]), int(shape[-1])
