"""Samplers of flows and of EDM: on data whose best prediction is known, and against the loops of diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.kinds.predictions import converted, prediction_of
from hcpgraph_nodes.process.shift import shift
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.sample.denoise import _step_arguments, denoise
from hcpgraph_nodes.sample.samplers import BY_KIND, EDM_SAMPLERS, FLOW_SAMPLERS, SAMPLERS
from hcpgraph_nodes.sample.schedulers import from_class, make_scheduler, set_steps
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Latents, Process
from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.testing import context

from .conftest import SCHEDULE

CPU = torch.device("cpu")
MEAN, SPREAD = 0.6, 0.3
"""Of the data: every number is drawn from this normal distribution."""
SHAPE = (1, 4, 64, 64)


def best(process: Process, noisy: Tensor, t: Tensor) -> Tensor:
    """What the best network predicts of x_t: E[x_0 | x_t] of normal data, in the words of the process."""
    alpha, sigma = process.alpha(t).double(), process.sigma(t).double()
    gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
    picture = MEAN + gain * (noisy.double() - alpha * MEAN)
    if process.prediction_type == "sample":
        return picture.float()
    noise = (noisy.double() - alpha * picture) / sigma
    return prediction_of(process, process.prediction_type, picture, noise, t).float()


def sampled(process: Process, solver: Any, steps: int, seed: int = 3) -> Tensor:
    """The loop of sample.denoise with the best network."""
    generator = torch.Generator().manual_seed(seed)
    set_steps(solver, steps, CPU, process, SHAPE)
    sample = torch.randn(SHAPE, generator=generator) * getattr(solver, "init_noise_sigma", 1.0)
    extra = _step_arguments(solver, [generator], 0.0)
    for index, timestep in enumerate(solver.timesteps):
        if process.kind == "edm":
            t, noisy = (4 * timestep).exp().view(1), sample
        elif process.kind == "flow":  # solvers of tables tell the network whole numbers, and step from the level itself
            level = solver.sigmas[
                index if len(solver.sigmas) == len(solver.timesteps) + 1 else solver.step_index or index
            ]
            t, noisy = level.view(1), sample
        else:
            t, noisy = timestep.view(1).long(), solver.scale_model_input(sample, timestep)
        if hasattr(solver, "scale_model_input"):
            scaled = solver.scale_model_input(sample, timestep)
            if process.kind == "edm":
                assert torch.allclose(scaled, process.network_input(sample, t)[0], rtol=1e-4)
        output = best(process, noisy, t)
        if process.kind == "edm":
            output = process.network_output(output)  # the sign of the network is its own inverse
        sample = solver.step(output, timestep, sample, **extra, return_dict=False)[0]
    return sample


FLOWS = {"flow": flow(), "shifted": flow(shift=3.0), "dynamic": flow(use_dynamic_shifting=True)}
FLOWS["table"] = replace(FLOWS["shifted"], shift=replace(FLOWS["shifted"].shift, grid="table"))  # type: ignore
EDMS = {"edm": edm(), "negative": edm(prediction_type="v_prediction"), "even": edm(sigma_schedule="exponential")}
ONE_STEP = {"lcm"}
"""Made for distilled networks: on others each step draws anew from the picture that the network guesses."""


@pytest.mark.parametrize("process", FLOWS)
@pytest.mark.parametrize("name", sorted(set(FLOW_SAMPLERS) - ONE_STEP))
def test_a_sampler_of_a_flow_draws_the_data(name: Any, process: str) -> None:
    slow = name == "dpmpp_sde"  # its spread comes to that of the data from below, with the first power of the steps
    end = sampled(FLOWS[process], make_scheduler(name, FLOWS[process]), 240 if slow else 60)
    assert abs(float(end.mean()) - MEAN) < 0.03 and abs(float(end.std()) - SPREAD) < 0.03


@pytest.mark.parametrize("process", EDMS)
@pytest.mark.parametrize("name", EDM_SAMPLERS)
def test_a_sampler_of_edm_draws_the_data(name: Any, process: str) -> None:
    end = sampled(EDMS[process], make_scheduler(name, EDMS[process]), 60)
    assert abs(float(end.mean()) - MEAN) < 0.03 and abs(float(end.std()) - SPREAD) < 0.03


@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m", "unipc"])
def test_a_sampler_of_a_table_draws_the_data(name: Any) -> None:
    for kind in ("epsilon", "v_prediction"):
        process = read({**SCHEDULE, "prediction_type": kind}, CPU)
        solver = make_scheduler(name, process)
        if hasattr(solver, "sigmas") and name == "euler":
            continue  # its sample is not x_t but x_t / α; tests of sample.denoise compare it with the pipeline
        end = sampled(process, solver, 60)
        assert abs(float(end.mean()) - MEAN) < 0.05 and abs(float(end.std()) - SPREAD) < 0.05


def test_more_steps_come_closer() -> None:
    """The distance from the exact solution of the flow, x_0 = mean + spread · ε, falls with the steps."""
    start = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
    exact = MEAN + SPREAD * start
    for name in ("euler", "heun", "dpmpp_2m"):
        few, many = (sampled(flow(), make_scheduler(name, flow()), steps) - exact for steps in (6, 48))  # type: ignore[arg-type]
        assert many.square().mean().sqrt() < 0.35 * few.square().mean().sqrt()
    wrong = sampled(flow(), make_scheduler("euler", flow()), 48) + MEAN
    assert (wrong - exact).square().mean().sqrt() > 0.3


def steps_of_pipeline(name: str, config: dict[str, Any], steps: int, tokens: int) -> Any:
    """A scheduler whose steps are set as the pipeline of a released model sets them."""
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps

    solver = diffusers.FlowMatchEulerDiscreteScheduler.from_config(config)
    if name == "SD 3":
        retrieve_timesteps(solver, steps, "cpu")
        return solver
    keys = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    mu = calculate_shift(tokens, *(solver.config[key] for key in keys))
    retrieve_timesteps(solver, steps, "cpu", sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    return solver


DYNAMIC = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
CONFIGS: dict[str, dict[str, Any]] = {
    "SD 3": {"shift": 3.0},
    "FLUX.1": DYNAMIC | {"shift": 3.0, "base_image_seq_len": 256, "max_image_seq_len": 4096},
    "Qwen-Image": DYNAMIC | {"max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02},
    "Z-Image": {"shift": 3.0},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_steps_are_those_of_the_pipelines(name: str) -> None:
    config = {"_class_name": "FlowMatchEulerDiscreteScheduler", **CONFIGS[name]}
    process = read(config, CPU, grid="table" if name == "SD 3" else "once")
    for side in (32, 128):
        solver = make_scheduler("euler", process)
        set_steps(solver, 28, CPU, process, (1, 16, side, side))
        reference = steps_of_pipeline(name, config, 28, side * side // 4)
        assert torch.equal(solver.sigmas, reference.sigmas) and torch.equal(solver.timesteps, reference.timesteps)
    if name == "SD 3":
        assert [round(float(each), 4) for each in solver.sigmas[-3:]] == [0.1109, 0.0089, 0.0]
    other = read(config, CPU, grid="once" if name == "SD 3" else "table")
    set_steps(solver := make_scheduler("euler", other), 28, CPU, other, (1, 16, 128, 128))
    assert not torch.equal(solver.sigmas, reference.sigmas), "the other grid is another"


@pytest.mark.parametrize("name", ["heun", "dpmpp_2m", "dpmpp_sde", "unipc"])
def test_a_dynamic_shift_reaches_every_sampler(name: Any) -> None:
    process = flow(use_dynamic_shifting=True)
    for side in (32, 256):
        factor = process.shift.factor(side * side // 4)  # type: ignore[attr-defined]
        same = flow(shift=factor)
        found = []
        for each in (process, same):
            solver = make_scheduler(name, each)
            set_steps(solver, 20, CPU, each, (1, 16, side, side))
            found.append(solver.sigmas)
        assert torch.allclose(found[0], found[1], atol=1e-6)
    set_steps(solver := make_scheduler(name, flow()), 20, CPU, flow(), SHAPE)
    assert (found[0] - solver.sigmas).abs().max() > 0.1


def test_a_terminal_level_is_kept_or_refused() -> None:
    process = flow(shift_terminal=0.1)
    for name in ("euler", "unipc"):
        set_steps(solver := make_scheduler(name, process), 10, CPU, process, SHAPE)  # type: ignore[arg-type]
        assert float(solver.sigmas[-2]) == pytest.approx(0.1, abs=1e-4)
    for name in ("heun", "dpmpp_2m", "dpmpp_sde"):
        with pytest.raises(GraphError, match="shift_terminal") as caught:
            set_steps(make_scheduler(name, process), 10, CPU, process, SHAPE)  # type: ignore[arg-type]
        assert caught.value.problem.code == "E_SETTING"


@pytest.fixture
def model(workspace: Path) -> Any:
    return load_model(context(workspace), path="models:tiny")


def loop_of_diffusers(model: Any, solver: Any, text: Tensor, against: Tensor, guidance: float, **steps: Any) -> Tensor:
    """What a pipeline does with a scheduler."""
    solver.set_timesteps(**steps)
    generator = torch.Generator().manual_seed(7)
    sample = torch.randn(1, 4, 8, 8, generator=generator) * getattr(solver, "init_noise_sigma", 1.0)
    unet = model.denoiser.root.module
    import inspect

    extra = {"generator": [generator]} if "generator" in inspect.signature(solver.step).parameters else {}
    with torch.no_grad():
        for timestep in solver.timesteps:
            read_by = solver.scale_model_input(sample, timestep) if hasattr(solver, "scale_model_input") else sample
            without, output = (unet(read_by, timestep, each).sample for each in (against, text))
            sample = solver.step(without + guidance * (output - without), timestep, sample, **extra, return_dict=False)[
                0
            ]
    return sample


FLOW_ARGS = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}
LOOPS: list[tuple[str, Process, Any, dict[str, Any]]] = [
    (
        "euler",
        flow(shift=3.0),
        diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        {"sigmas": [1.0, 0.75, 0.5, 0.25]},
    ),
    ("dpmpp_2m", flow(shift=3.0), diffusers.DPMSolverMultistepScheduler(**FLOW_ARGS), {}),
    (
        "dpmpp_2m_sde",
        flow(shift=3.0),
        diffusers.DPMSolverMultistepScheduler(**FLOW_ARGS, algorithm_type="sde-dpmsolver++"),
        {},
    ),
    ("unipc", flow(shift=3.0), diffusers.UniPCMultistepScheduler(**FLOW_ARGS), {}),
    ("euler", edm(), diffusers.EDMEulerScheduler(), {}),
    ("dpmpp_2m", edm(sigma_data=1.0), diffusers.EDMDPMSolverMultistepScheduler(sigma_data=1.0), {}),
    (
        "dpmpp_2m_karras",
        edm(prediction_type="v_prediction"),
        diffusers.EDMDPMSolverMultistepScheduler(prediction_type="v_prediction"),
        {},
    ),
    (
        "dpmpp_2m",
        edm(sigma_schedule="exponential"),
        diffusers.EDMDPMSolverMultistepScheduler(sigma_schedule="exponential"),
        {},
    ),
]


@pytest.mark.parametrize(
    ("name", "process", "solver", "steps"), LOOPS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_sampling_is_the_loop_of_diffusers(
    name: Any, process: Process, solver: Any, steps: dict[str, Any], model: Any, workspace: Path
) -> None:
    text, against = (encode_text(model.text_encoder, Captions((each,))) for each in ("a red cat", "blurry"))
    reference = loop_of_diffusers(model, solver, text.data, against.data, 3.0, num_inference_steps=4, **steps)
    canvas = Latents(torch.zeros(1, 4, 8, 8))
    args = (context(workspace), model.denoiser, process, text, canvas, against)
    made = denoise(*args, sampler=name, steps=4, guidance=3.0, seed=7).data
    assert torch.allclose(made, reference, atol=1e-4 * float(reference.abs().max()))
    assert made.std() > 0.01
    other = denoise(*args, sampler=name, steps=5, guidance=3.0, seed=7).data
    assert (other - reference).abs().max() > 1e-2 * reference.abs().max()


def test_a_shift_changes_the_picture(model: Any, workspace: Path) -> None:
    text, canvas = encode_text(model.text_encoder, Captions(("a cat",))), Latents(torch.zeros(1, 4, 8, 8))
    common = {"sampler": "euler", "steps": 4, "guidance": 1.0}
    plain, moved = (
        denoise(context(workspace), model.denoiser, process, text, canvas, **common).data
        for process in (flow(), shift(flow(), shift=5.0))
    )
    assert (plain - moved).abs().max() > 1e-2


@pytest.mark.parametrize("kind", BY_KIND)
@pytest.mark.parametrize("name", SAMPLERS)
def test_names_that_mean_nothing_for_a_process_are_refused(name: Any, kind: str) -> None:
    process = {"vp": read(SCHEDULE, CPU), "flow": flow(), "edm": edm()}[kind]
    if name in BY_KIND[kind]:
        made = make_scheduler(name, process)
        assert type(made).__name__ == BY_KIND[kind][name][0]
        set_steps(made, 8, CPU, process, SHAPE)
        return
    with pytest.raises(GraphError, match=f"{name} is no sampler") as caught:
        make_scheduler(name, process)
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_SETTING", "sampler")


FLOW_CLASSES = ("FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM", "DPMSolverMultistep")
SOLVERS = ("DPMSolverSinglestep", "DEISMultistep", "SASolver", "UniPCMultistep")
OWN = {
    "flow": [f"{name}Scheduler" for name in (*FLOW_CLASSES, *SOLVERS)],
    "edm": ["EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"],
}
NAMES = sorted(name for name in dir(diffusers) if name.endswith("Scheduler"))


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("name", NAMES)
def test_every_class_of_diffusers_draws_the_data_or_is_refused(name: str, kind: str) -> None:
    process = flow(shift=2.0) if kind == "flow" else edm()
    try:
        solver = from_class(PythonObject(getattr(diffusers, name)), process)
    except GraphError as error:
        assert error.problem.code == "E_OBJECT" and name in error.problem.message and name not in OWN[kind]
        return
    assert name in OWN[kind], "a class that nobody looked at"
    if "LCM" not in name:
        end = sampled(process, solver, 60)
        assert abs(float(end.mean()) - MEAN) < 0.05 and abs(float(end.std()) - SPREAD) < 0.05


def test_arguments_of_a_class_that_the_process_has_already() -> None:
    for args in ({"shift": 3.0}, {"use_dynamic_shifting": True}):
        with pytest.raises(GraphError, match=r"is the matter of the process") as caught:
            from_class(PythonObject(diffusers.FlowMatchEulerDiscreteScheduler, args), flow())
        assert caught.value.problem.code == "E_OBJECT"
    with pytest.raises(GraphError, match="sigma_data"):
        from_class(PythonObject(diffusers.EDMEulerScheduler, {"sigma_data": 1.0}), edm())
    solver = from_class(PythonObject(diffusers.FlowMatchEulerDiscreteScheduler, {"use_karras_sigmas": True}), flow())
    assert solver.config.use_karras_sigmas
    with pytest.raises(GraphError, match="runs another forward process"):
        from_class(PythonObject(diffusers.DPMSolverMultistepScheduler, {"use_flow_sigmas": True}), read(SCHEDULE, CPU))


def test_the_best_network_is_told_in_every_word() -> None:
    """The reference of this file: what it predicts, turned into a picture, is the mean of the data given x_t."""
    noisy, share = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)), torch.tensor([0.4])
    picture = converted(flow(), "flow", best(flow(), noisy, share), noisy, share, "sample")
    gain = 0.6 * 0.09 / (0.36 * 0.09 + 0.16)
    assert torch.allclose(picture, MEAN + gain * (noisy - 0.6 * MEAN), atol=1e-5)
