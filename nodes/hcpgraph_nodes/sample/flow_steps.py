"""The steps of a rectified flow in the schedulers of diffusers, with the shift of its process.

Three kinds of classes: FlowMatchEuler and FlowMatchLCM are given the steps and μ, as pipelines do; FlowMatchHeun makes
its own between its two ends; solvers for tables make their own of 1, …, 1/T and take a shift that is the same for all
sizes (`use_flow_sigmas`, `flow_shift`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..process.kinds.flow import RectifiedFlow
from ..process.kinds.shift import Shift

OF_SHIFT = frozenset(Shift().config()) | {"flow_shift", "use_flow_sigmas", "num_train_timesteps"}
"""Arguments of a scheduler that the process has already."""


def flow_config(cls: Any, process: RectifiedFlow) -> dict[str, Any]:
    """What a class of diffusers is made with: what it knows of the process's configuration and shift."""
    known = inspect.signature(cls.__init__).parameters
    own = {**process.config, **process.shift.config(), "num_train_timesteps": process.num_train_timesteps}
    if "use_flow_sigmas" in known:
        own |= {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "use_dynamic_shifting": False}
        own |= {"time_shift_type": "exponential"}
    return {name: value for name, value in own.items() if name in known}


def spread(scheduler: Any, steps: int, shift: Shift, shape: Sequence[int]) -> dict[str, Any]:
    """Tell a scheduler the shift of latents (…, h, w); gives further arguments of its `set_timesteps`.

    Raises:
        ValueError: its class cannot end at the noise level that the shift says.
    """
    if shift.shift_terminal and "shift_terminal" not in scheduler.config:
        raise ValueError("it cannot stretch its steps to shift_terminal; euler and unipc can")
    tokens = shift.tokens(shape)
    factor = shift.factor(tokens, steps)
    if "use_flow_sigmas" in scheduler.config:
        scheduler.register_to_config(flow_shift=factor)
        return {}
    once = shift.grid == "once"
    if "mu" not in inspect.signature(scheduler.set_timesteps).parameters:
        lowest = 1 / scheduler.config.num_train_timesteps
        scheduler.register_to_config(shift=factor)
        scheduler.sigma_min = 1 / steps if once else factor * lowest / (1 + (factor - 1) * lowest)
        return {}
    further: dict[str, Any] = {"sigmas": np.linspace(1.0, 1 / steps, steps)} if once else {}
    if shift.use_dynamic_shifting:
        further["mu"] = shift.mu(tokens, steps)
    return further
