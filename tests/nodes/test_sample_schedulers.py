"""Every scheduler of diffusers undoes the model's own forward process, or is refused."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.families.sizes import SCHEDULE
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.sample.denoise import _step_arguments
from hcpgraph_nodes.sample.samplers import SAMPLERS
from hcpgraph_nodes.sample.schedulers import from_class, make_scheduler, set_steps
from hcpgraph_nodes.types import Process

from hcpgraph import GraphError

ZERO = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
PROCESSES = {"SD": {}, "zero terminal SNR": ZERO}
NAMES = sorted(name for name in dir(diffusers) if name.endswith("Scheduler"))
STEPS = 24


def schedule_of(process: str) -> Process:
    return read({**SCHEDULE, **PROCESSES[process]}, torch.device("cpu"))


def sampled(solver: Any, schedule: Process) -> torch.Tensor:
    """How far off the only picture of a data set of one is the end, for a network that knows it (σ of the end: 1)."""
    picture = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    generator = torch.Generator().manual_seed(3)
    set_steps(solver, STEPS, torch.device("cpu"))
    sample = torch.randn(picture.shape, generator=generator) * solver.init_noise_sigma
    extra = _step_arguments(solver, [generator], 0.0)
    signal = schedule.alphas_cumprod.double()
    for timestep in solver.timesteps:
        scaled = solver.scale_model_input(sample, timestep)
        low, share = int(timestep), float(timestep) - int(timestep)  # KDPM2 stands between two timesteps
        odds = [((1 - signal[each]) / signal[each]).log() for each in (low, min(low + 1, 999))]
        alpha = 1 / (1 + ((1 - share) * odds[0] + share * odds[1]).exp()) if share else signal[low]
        a, s = alpha.sqrt().float(), (1 - alpha).sqrt().float()
        velocity = schedule.prediction_type == "v_prediction"
        noise = (scaled - a * picture) / s
        output = a * noise - s * picture if velocity else noise
        sample = solver.step(output, timestep, sample, **extra, return_dict=False)[0]
    return (sample - picture).square().mean().sqrt()


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_is_taken_ends_at_the_picture(name: str, process: str) -> None:
    schedule = schedule_of(process)
    try:
        solver = from_class(PythonObject(getattr(diffusers, name)), schedule)
        end = sampled(solver, schedule)
    except GraphError as error:
        assert error.problem.code in ("E_OBJECT", "E_SETTING") and name in error.problem.message
        assert process != "SD" or name.removesuffix("Scheduler") not in TAKEN
        return
    assert end < 0.08, name


TAKEN = {cls.removesuffix("Scheduler") for cls, _ in SAMPLERS.values()} | {
    "DEISMultistep",
    "LMSDiscrete",
    "KDPM2Discrete",
}


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_ends_at_the_picture_or_is_refused(name: Any, process: str) -> None:
    schedule = schedule_of(process)
    try:
        end = sampled(make_scheduler(name, schedule), schedule)
    except GraphError as error:
        assert process != "SD" and error.problem.code == "E_SETTING"
        return
    assert end < 0.08


@pytest.mark.parametrize("name", ["EDMEulerScheduler", "EDMDPMSolverMultistepScheduler", "IPNDMScheduler"])
def test_noise_levels_of_another_process_are_refused(name: str) -> None:
    """EDM's second argument is ln σ / 4, which an SD model would read as a timestep near 0."""
    with pytest.raises(GraphError, match="runs another forward process") as caught:
        from_class(PythonObject(getattr(diffusers, name)), schedule_of("SD"))
    assert caught.value.problem.code == "E_OBJECT"


def test_arguments_that_ask_for_another_table_are_obeyed() -> None:
    own = from_class(PythonObject(diffusers.EulerDiscreteScheduler, {"beta_end": 0.013}), schedule_of("SD"))
    assert own.config.beta_end == 0.013
