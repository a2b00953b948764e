"""The diffusers scheduler that undoes a model's forward process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch

from hcpgraph import GraphError
from hcpgraph.finite import is_finite

from ..families.schedule import FORWARD
from ..process.kinds.classes import EDM, FLOW, FLOW_SOLVERS
from ..process.kinds.edm import Edm
from ..process.kinds.flow import RectifiedFlow
from ..process.kinds.vp import VariancePreserving
from ..process.refusals import IMPOSSIBLE, no_signal
from ..python.object import PythonObject
from ..types import Process
from .flow_steps import OF_SHIFT, flow_config, spread
from .samplers import BY_KIND, Sampler, no_sampler

USED = ("init_noise_sigma", "scale_model_input", "set_timesteps", "step")
STEP = {"model_output", "timestep", "sample"}
"""What sample.denoise uses of a scheduler, and gives to its step; those of a flow alone lack the first two."""
NETWORK = ("sigma_data", "prediction_type")
"""What EDM's preconditioning is made of."""
UPWARDS = "it goes from a picture to noise"


def make_scheduler(name: Sampler, schedule: Process) -> Any:
    """The diffusers scheduler of a sampler for the model's forward process.

    Raises:
        GraphError: E_SETTING, the process has no such sampler, or the class in diffusers cannot follow it, such as one
            without signal at its end.
    """
    import diffusers

    table = BY_KIND[schedule.kind]
    if name not in table:
        raise GraphError("E_SETTING", no_sampler(schedule.kind, name), port="sampler", hint="take one that it has")
    cls, changes = table[name]
    made = _made(getattr(diffusers, cls), schedule, changes)
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
    if schedule.kind == "flow" and (of_shift := sorted(OF_SHIFT & set(kind.args))):
        message = f"{', '.join(of_shift)} of {name} is the matter of the process"
        raise GraphError("E_OBJECT", message, port="scheduler", hint="set the shift in process.shift")
    try:
        made = _made(kind.cls, schedule, kind.args)
    except (TypeError, ValueError, NotImplementedError) as error:
        message = f"{name} cannot be made: {error}"
        raise GraphError("E_OBJECT", message, port="scheduler", hint="change args of python.object") from error
    used = USED[2:] if schedule.kind == "flow" else USED
    if not all(hasattr(made, each) for each in used) or _needed(made.step) - STEP:
        raise GraphError("E_OBJECT", f"{name} is of another kind than sample.denoise runs", port="scheduler", hint=hint)
    if wrong := _other_process(made, schedule, kind.args):
        raise GraphError("E_OBJECT", f"{name} {wrong}", port="scheduler", hint=hint)
    return made


def _made(cls: Any, schedule: Process, changes: Mapping[str, Any]) -> Any:
    """A scheduler of a class with the process's own configuration and changes to it."""
    own = {name: value for name, value in schedule.config.items() if name != "_class_name"}
    if isinstance(schedule, RectifiedFlow):
        own = flow_config(cls, schedule)
    elif isinstance(schedule, Edm):
        known = inspect.signature(cls.__init__).parameters
        own = {name: value for name, value in own.items() if name in known}
    else:  # where the configuration does not say, latents are not cut to [-1, 1] as pixels are
        own = {"clip_sample": False, **own}
    return cls.from_config({**own, **changes})


def _other_process(scheduler: Any, schedule: Process, args: Mapping[str, Any]) -> str | None:
    """Why a scheduler does not undo what the model was trained on: its signal at each timestep has to be the model's.

    A flow has none, EDM's noise levels have one that no table lists; arguments that ask for another table are obeyed.
    """
    signal = getattr(scheduler, "alphas_cumprod", None)
    flows = _known(scheduler, FLOW) or (_known(scheduler, FLOW_SOLVERS) and scheduler.config.use_flow_sigmas)
    if isinstance(schedule, RectifiedFlow):
        return None if flows else "runs another forward process than the model's, which is a rectified flow"
    if isinstance(schedule, Edm):
        if not _known(scheduler, EDM):
            return "runs another forward process than the model's, which is EDM"
        same = all(scheduler.config[name] == schedule.config.get(name, scheduler.config[name]) for name in NETWORK)
        return None if same else f"has another {' or '.join(NETWORK)} than the model was trained with"
    if flows or not isinstance(signal, torch.Tensor):
        return "runs another forward process than the model's, which is a table of alphas_cumprod"
    if not isinstance(schedule, VariancePreserving) or (
        not set(FORWARD) & set(args) and not _equal(signal, schedule.alphas_cumprod)
    ):
        return "has a table of alphas_cumprod of its own, which is not the model's"
    return None


def _known(scheduler: Any, classes: Collection[str]) -> bool:
    """Whether a scheduler is of one of these classes of diffusers, or of one made of them."""
    return any(cls.__name__ in classes for cls in type(scheduler).__mro__)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal tables, but for what rounding and the last value of a process without signal may be."""
    one, other = one.cpu().float(), other.cpu().float()
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-4, atol=1e-6))


def set_steps(
    scheduler: Any, steps: int, device: torch.device, schedule: Process | None = None, shape: Sequence[int] = ()
) -> None:
    """Spread the steps over the timesteps.

    Args:
        scheduler: Made by `make_scheduler` or `from_class`.
        steps: How many.
        device: Of the timesteps.
        schedule: The process; a flow needs it.
        shape: Of the latents (…, h, w), which a flow's dynamic shift looks at.

    Raises:
        GraphError: E_SETTING, the scheduler cannot do so many or so few steps.
    """
    last = scheduler.config.num_train_timesteps - (0 if isinstance(schedule, RectifiedFlow) else 1)
    try:
        further = spread(scheduler, steps, schedule.shift, shape) if isinstance(schedule, RectifiedFlow) else {}
        scheduler.set_timesteps(steps, device=device, **further)
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
    kind = scheduler.config.get("prediction_type")
    ends = kind == IMPOSSIBLE and isinstance(signal, torch.Tensor) and not bool(signal.min() > 0)
    return no_signal(kind) if ends else None


def _needed(call: Callable[..., Any]) -> set[str]:
    """The parameters of a call that have no default."""
    parameters = inspect.signature(call).parameters.values()
    return {each.name for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD}
