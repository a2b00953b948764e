"""The samplers, by the names that users know, as classes of diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch

from hcpgraph import GraphError
from hcpgraph.finite import is_finite

from ..families.schedule import FORWARD
from ..process.kinds.vp import VariancePreserving
from ..process.refusals import IMPOSSIBLE, no_signal
from ..python.object import PythonObject
from ..types import Process

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
USED = ("init_noise_sigma", "scale_model_input", "set_timesteps", "step")
STEP = {"model_output", "timestep", "sample"}
"""What sample.denoise uses of a scheduler, and gives to its step."""
UPWARDS = "it goes from a picture to noise"


def make_scheduler(name: Sampler, schedule: Process) -> Any:
    """The diffusers scheduler of a sampler for the model's forward process.

    Raises:
        GraphError: E_SETTING, the class in diffusers cannot follow that process, such as one without signal at its end.
    """
    import diffusers

    cls, changes = SAMPLERS[name]
    made = getattr(diffusers, cls).from_config({**_config(schedule), **changes})
    if wrong := _other_process(made, schedule, {}):
        raise GraphError("E_SETTING", f"{cls} {wrong}", port="sampler", hint="take ddim, euler, dpmpp_2m or unipc")
    return made


def from_class(kind: PythonObject, schedule: Process) -> Any:
    """A scheduler of a given class for the model's forward process, with the arguments of the object on top.

    Raises:
        GraphError: E_OBJECT, the class is no diffusers scheduler for noise predictors, or does not take the arguments.
    """
    from diffusers import SchedulerMixin

    name = kind.cls.__name__
    hint = "name a scheduler class in python.object, such as diffusers:EulerDiscreteScheduler"
    if not issubclass(kind.cls, SchedulerMixin):
        raise GraphError("E_OBJECT", f"{name} is no diffusers scheduler", port="scheduler", hint=hint)
    if unknown := sorted(set(kind.args) - set(inspect.signature(kind.cls.__init__).parameters)):
        message = f"{name} has no argument {', '.join(unknown)}"
        raise GraphError("E_OBJECT", message, port="scheduler", hint="change args of python.object")
    try:
        made = kind.cls.from_config({**_config(schedule), **kind.args})
    except (TypeError, ValueError, NotImplementedError) as error:
        message = f"{name} cannot be made: {error}"
        raise GraphError("E_OBJECT", message, port="scheduler", hint="change args of python.object") from error
    if not all(hasattr(made, each) for each in USED) or _needed(made.step) - STEP:
        raise GraphError("E_OBJECT", f"{name} is of another kind than sample.denoise runs", port="scheduler", hint=hint)
    if wrong := _other_process(made, schedule, kind.args):
        raise GraphError("E_OBJECT", f"{name} {wrong}", port="scheduler", hint=hint)
    return made


def _other_process(scheduler: Any, schedule: Process, args: Mapping[str, Any]) -> str | None:
    """Why a scheduler does not undo what the model was trained on: its signal at each timestep has to be the model's.

    A flow has none, EDM's noise levels have one that no table lists; arguments that ask for another table are obeyed.
    """
    signal = getattr(scheduler, "alphas_cumprod", None)
    if not isinstance(signal, torch.Tensor):
        return "runs another forward process than the model's, which is a table of alphas_cumprod"
    if not isinstance(schedule, VariancePreserving) or (
        not set(FORWARD) & set(args) and not _equal(signal, schedule.alphas_cumprod)
    ):
        return "has a table of alphas_cumprod of its own, which is not the model's"
    return None


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal tables, but for what rounding and the last value of a process without signal may be."""
    one, other = one.cpu().float(), other.cpu().float()
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-4, atol=1e-6))


def set_steps(scheduler: Any, steps: int, device: torch.device) -> None:
    """Spread the steps over the timesteps.

    Raises:
        GraphError: E_SETTING, the scheduler cannot do so many or so few steps.
    """
    last = scheduler.config.num_train_timesteps - 1
    try:
        scheduler.set_timesteps(steps, device=device)
        if hasattr(scheduler, "set_begin_index"):  # it would look for the first timestep, which may stand there twice
            scheduler.set_begin_index(0)
        wrong = _endless(scheduler) or (
            (scheduler.timesteps.max() > last and f"they would begin after the last timestep, {last}")
            or (len(scheduler.timesteps) > 1 and scheduler.timesteps[0] < scheduler.timesteps[-1] and UPWARDS)
        )
    except (ValueError, IndexError) as error:
        wrong = str(error)
    if wrong:
        raise GraphError(
            "E_SETTING",
            f"{type(scheduler).__name__} cannot sample in {steps} steps: {wrong}",
            port="steps",
            hint="change steps, or take another sampler",
        )


def _endless(scheduler: Any) -> str | None:
    """What of a scheduler makes its first step infinite, whatever the network gives."""
    sigmas, signal = (getattr(scheduler, name, None) for name in ("sigmas", "alphas_cumprod"))
    if isinstance(sigmas, torch.Tensor) and not is_finite(sigmas):
        return "its noise levels are infinite, for no signal is left at the last timestep"
    kind = scheduler.config.prediction_type
    ends = kind == IMPOSSIBLE and isinstance(signal, torch.Tensor) and not bool(signal.min() > 0)
    return no_signal(kind) if ends else None


def _needed(call: Callable[..., Any]) -> set[str]:
    """The parameters of a call that have no default."""
    parameters = inspect.signature(call).parameters.values()
    return {each.name for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD}


def _config(schedule: Process) -> dict[str, Any]:
    """The model's own scheduler configuration; where it does not say, latents are not cut to [-1, 1] as pixels are."""
    return {"clip_sample": False, **{key: value for key, value in schedule.config.items() if key != "_class_name"}}
