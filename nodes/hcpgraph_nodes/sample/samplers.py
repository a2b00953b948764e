"""The samplers, by the names that users know: which class of diffusers each is for a kind of process (torch-free)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Sampler = Literal[
    "ddim",
    "ddpm",
    "pndm",
    "euler",
    "euler_a",
    "heun",
    "dpmpp_2m",
    "dpmpp_2m_karras",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_karras",
    "dpmpp_sde",
    "dpmpp_sde_karras",
    "unipc",
    "lcm",
]
NODES = ("sample.denoise", "sample.until")
"""The nodes that sample: rules of prompts, guidance and pictures are about both."""
Table = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Name -> class in diffusers and what it changes in the model's own scheduler configuration."""

MULTISTEP, SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
KARRAS = {"use_karras_sigmas": True}
SDE = {"algorithm_type": "sde-dpmsolver++"}
SAMPLERS: Table = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpmpp_2m": (MULTISTEP, {}),
    "dpmpp_2m_karras": (MULTISTEP, KARRAS),
    "dpmpp_2m_sde": (MULTISTEP, SDE),
    "dpmpp_2m_sde_karras": (MULTISTEP, {**SDE, **KARRAS}),
    "dpmpp_sde": (SINGLESTEP, SDE),
    "dpmpp_sde_karras": (SINGLESTEP, {**SDE, **KARRAS}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
"""Of a table of timesteps."""
NO_ZERO_SNR = frozenset({"pndm", "heun", "dpmpp_sde", "dpmpp_sde_karras"})
"""Whose classes cannot make a table that ends without signal."""
FLOW_SAMPLERS: Table = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "dpmpp_2m": (MULTISTEP, {}),
    "dpmpp_2m_sde": (MULTISTEP, SDE),
    "dpmpp_sde": (SINGLESTEP, SDE),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("FlowMatchLCMScheduler", {}),
}
"""Of a rectified flow, whose shift is its only spacing of steps."""
EDM_MULTISTEP, KARRAS_LEVELS = "EDMDPMSolverMultistepScheduler", {"sigma_schedule": "karras"}
EDM_SAMPLERS: Table = {
    "euler": ("EDMEulerScheduler", {}),
    "dpmpp_2m": (EDM_MULTISTEP, {}),
    "dpmpp_2m_karras": (EDM_MULTISTEP, KARRAS_LEVELS),
    "dpmpp_2m_sde": (EDM_MULTISTEP, SDE),
    "dpmpp_2m_sde_karras": (EDM_MULTISTEP, {**SDE, **KARRAS_LEVELS}),
}
"""Of EDM; without `karras` in the name the process says how its noise levels are spaced."""
BY_KIND: Mapping[str, Table] = {"vp": SAMPLERS, "flow": FLOW_SAMPLERS, "edm": EDM_SAMPLERS}


def no_sampler(kind: str, name: str) -> str:
    """A name that means nothing for a kind of process."""
    return f"{name} is no sampler of a process of the kind {kind}; it has {', '.join(BY_KIND[kind])}"
