"""Which kind of process a scheduler of diffusers belongs to (torch-free)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TABLE = frozenset(
    {
        "DDIMScheduler",
        "DDPMScheduler",
        "DEISMultistepScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "EulerAncestralDiscreteScheduler",
        "EulerDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "LCMScheduler",
        "LMSDiscreteScheduler",
        "PNDMScheduler",
        "UniPCMultistepScheduler",
    }
)
"""Classes for a table of timesteps."""
FLOW = frozenset({"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler"})
"""Classes for a rectified flow."""
EDM = frozenset({"EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"})
"""Classes for EDM."""
FLOW_SOLVERS = frozenset(
    {
        "DEISMultistepScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "SASolverScheduler",
        "UniPCMultistepScheduler",
    }
)
"""Classes for a table that also follow a flow, with use_flow_sigmas and flow_shift."""


def kind_of(config: Mapping[str, Any]) -> str | None:
    """`vp`, `edm` or `flow`, as the configuration of a scheduler says; None for a class that nobody here knows."""
    name = config.get("_class_name", "DDIMScheduler")
    if not isinstance(name, str):
        return None
    flows = bool(config.get("use_flow_sigmas")) or config.get("prediction_type") == "flow_prediction"
    if name in FLOW or (name in FLOW_SOLVERS and flows):
        return "flow"
    if name in EDM:
        return "edm"
    return "vp" if name in TABLE else None
