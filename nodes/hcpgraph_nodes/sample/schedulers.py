"""The samplers, by the names that users know, as classes of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..types import NoiseSchedule

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

MULTISTEP, SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
KARRAS = {"use_karras_sigmas": True}
SDE = {"algorithm_type": "sde-dpmsolver++"}
SAMPLERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
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
"""Name -> class in diffusers and what it changes in the model's own scheduler configuration."""


def make_scheduler(name: Sampler, schedule: NoiseSchedule) -> Any:
    """The diffusers scheduler of a sampler for the model's forward process."""
    import diffusers

    cls, changes = SAMPLERS[name]
    config = {key: value for key, value in schedule.config.items() if key != "_class_name"}
    return getattr(diffusers, cls).from_config({**config, **changes})
