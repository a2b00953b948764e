"""The samplers, by the names that users know, as classes of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from hcpgraph import GraphError

from ..types import NoiseSchedule

Sampler = Literal[
    "ddim",
    "ddpm",
    "pndm",
    "euler",
    "euler_a",
    "heun",
    "lms",
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
    "lms": ("LMSDiscreteScheduler", {}),
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

NEEDS = {"lms": "scipy"}


def make_scheduler(name: Sampler, schedule: NoiseSchedule) -> Any:
    """The diffusers scheduler of a sampler for the model's forward process.

    Raises:
        GraphError: E_PACKAGE, the sampler needs a package that is not installed.
    """
    from importlib.util import find_spec

    import diffusers

    if name in NEEDS and find_spec(NEEDS[name]) is None:
        raise GraphError(
            "E_PACKAGE", f"the sampler '{name}' needs {NEEDS[name]}", hint=f"pip install {NEEDS[name]}, or use 'euler'"
        )
    cls, changes = SAMPLERS[name]
    config = {key: value for key, value in schedule.config.items() if key != "_class_name"}
    return getattr(diffusers, cls).from_config({**config, **changes})
