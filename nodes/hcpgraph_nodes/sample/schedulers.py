"""The samplers, by the names that users know, as classes of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from hcpgraph import GraphError

from ..python.object import PythonObject
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
    return getattr(diffusers, cls).from_config({**_config(schedule), **changes})


def from_class(kind: PythonObject, schedule: NoiseSchedule) -> Any:
    """A scheduler of a given class for the model's forward process, with the arguments of the object on top.

    Raises:
        GraphError: E_OBJECT, the class is no diffusers scheduler.
    """
    from diffusers import SchedulerMixin

    if not issubclass(kind.cls, SchedulerMixin):
        hint = "name a scheduler class in python.object, such as diffusers:EulerDiscreteScheduler"
        raise GraphError("E_OBJECT", f"{kind.cls.__name__} is no diffusers scheduler", port="scheduler", hint=hint)
    return kind.cls.from_config({**_config(schedule), **kind.args})


def _config(schedule: NoiseSchedule) -> dict[str, Any]:
    return {key: value for key, value in schedule.config.items() if key != "_class_name"}
