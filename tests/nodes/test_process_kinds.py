"""Forward processes against references of a few lines and the schedulers of diffusers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import diffusers
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.convert import convert
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.kinds.predictions import prediction_of
from hcpgraph_nodes.process.predict import predict as predicting
from hcpgraph_nodes.process.shift import shift
from hcpgraph_nodes.process.zero_terminal_snr import zero_terminal_snr
from hcpgraph_nodes.types import Latents, Noise, NoisyLatents, Prediction, Process, Timesteps

from hcpgraph import GraphError

from .conftest import SCHEDULE

CPU = torch.device("cpu")
BETAS: list[dict[str, Any]] = [
    *({"beta_schedule": name} for name in ("scaled_linear", "linear", "squaredcos_cap_v2", "sigmoid")),
    {"trained_betas": [0.001 * n for n in range(1, 41)], "num_train_timesteps": 40},
]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


X_0, NOISE = random(4, 4, 8, 8), random(4, 4, 8, 8, seed=1)


def table(**config: Any) -> Process:
    return read({**SCHEDULE, **config}, CPU)


def zero_snr() -> Process:
    return zero_terminal_snr(table(prediction_type="v_prediction"))


PROCESSES = {
    "vp": (table(prediction_type="v_prediction"), torch.tensor([0, 17, 500, 999])),
    "zero snr": (zero_snr(), torch.tensor([0, 17, 500, 998])),
    "flow": (flow(shift=3.0), torch.tensor([0.001, 0.2, 0.73, 0.999])),
    "edm": (edm(), torch.tensor([0.002, 0.3, 4.0, 80.0])),
}


@pytest.mark.parametrize("config", BETAS, ids=lambda config: next(iter(config)) + str(next(iter(config.values())))[:12])
def test_tables_add_noise_as_diffusers_does(config: dict[str, Any]) -> None:
    process = table(**config, prediction_type="v_prediction")
    known = ("beta_start", "beta_end", "beta_schedule")
    reference = diffusers.DDPMScheduler(**{**{key: SCHEDULE[key] for key in known}, **config})
    times = torch.tensor([0, 1, 20, process.num_train_timesteps - 1])
    args = (Latents(X_0), Noise(NOISE), Timesteps(times), process)
    assert torch.allclose(add_noise(*args).data, reference.add_noise(X_0, NOISE, times), atol=1e-6)
    assert torch.allclose(target(*args).data, reference.get_velocity(X_0, NOISE, times), atol=1e-6)
    assert target(*args).kind == "v_prediction"


def test_a_flow_adds_noise_as_diffusers_does() -> None:
    process, reference = flow(), diffusers.FlowMatchEulerDiscreteScheduler()
    times = reference.timesteps[[0, 250, 731, 999]]
    share = times / 1000
    args = (Latents(X_0), Noise(NOISE), Timesteps(share), process)
    assert torch.allclose(add_noise(*args).data, reference.scale_noise(X_0, times, NOISE), atol=1e-6)
    made = target(*args)
    assert made.kind == "flow" and torch.equal(made.data, NOISE - X_0)
    step = 1e-3  # it is the derivative of x_t
    later = add_noise(Latents(X_0), Noise(NOISE), Timesteps(share + step), process).data
    assert torch.allclose((later - add_noise(*args).data) / step, made.data, atol=2e-3)


@pytest.mark.parametrize("sign", ["epsilon", "v_prediction"])
def test_edm_is_preconditioned_as_diffusers_does(sign: Any) -> None:
    process = edm(prediction_type=sign, sigma_data=0.7)
    reference = diffusers.EDMEulerScheduler(prediction_type=sign, sigma_data=0.7)
    sigma = torch.tensor([0.002, 0.3, 4.0, 80.0])
    noisy = add_noise(Latents(X_0), Noise(NOISE), Timesteps(sigma), process).data
    assert torch.allclose(noisy, X_0 + sigma.view(-1, 1, 1, 1) * NOISE)
    read_by_network, time = process.network_input(noisy, sigma)
    wide = sigma.view(-1, 1, 1, 1)
    assert torch.allclose(read_by_network, reference.precondition_inputs(noisy, wide), rtol=1e-6)
    assert torch.allclose(time, reference.precondition_noise(sigma))
    output = random(4, 4, 8, 8, seed=2)  # a network's own; what it denoises to is what diffusers makes of it
    given = Prediction(process.network_output(output), process.prediction_type)
    denoised = convert(given, NoisyLatents(noisy), Timesteps(sigma), process, to="sample").data
    assert torch.allclose(denoised, reference.precondition_outputs(noisy, output, wide), atol=1e-4)
    perfect = target(Latents(X_0), Noise(NOISE), Timesteps(sigma), process)
    c_skip, c_out = 0.49 / (wide**2 + 0.49), wide * 0.7 / (wide**2 + 0.49).sqrt()
    assert torch.allclose(perfect.data, (X_0 - c_skip * noisy) / c_out, atol=2e-3) and perfect.kind == "edm"


def kinds_of(name: str) -> list[str]:
    return ["epsilon", "v_prediction", "sample", "flow", *(["edm"] if name == "edm" else [])]


@pytest.mark.parametrize(
    ("name", "kind", "to"),
    [(name, *pair) for name in PROCESSES for pair in itertools.product(kinds_of(name), kinds_of(""))],
)
def test_every_prediction_becomes_every_other(name: str, kind: str, to: Any) -> None:
    process, times = PROCESSES[name]
    noisy = process.mix(X_0, NOISE, times)
    given = prediction_of(process, kind, X_0, NOISE, times)
    made = convert(Prediction(given, kind), NoisyLatents(noisy), Timesteps(times), process, to=to)
    wanted = prediction_of(process, to, X_0, NOISE, times)
    ends = process.alpha(times).min() < 0.01 or process.sigma(times).min() < 0.01
    assert made.kind == to
    tolerance = 2e-2 * (1 + wanted.abs().max()) if ends else 1e-4  # small divisors enlarge what float32 rounds
    assert (made.data - wanted).abs().max() < tolerance
    if kind != to:
        assert (given - wanted).abs().max() > 20 * (made.data - wanted).abs().max()


def test_a_conversion_there_and_back_at_random_times() -> None:
    generator = torch.Generator().manual_seed(5)
    share = torch.rand(4, generator=generator) * 0.8 + 0.1
    given = random(4, 4, 8, 8, seed=3)
    for process, times in (
        (PROCESSES["vp"][0], (share * 1000).long()),
        (PROCESSES["flow"][0], share),
        (PROCESSES["edm"][0], (share * 6 - 3).exp()),
    ):
        noisy = NoisyLatents(random(4, 4, 8, 8, seed=4))
        for one, other in itertools.permutations(("epsilon", "v_prediction", "sample", "flow"), 2):
            there = convert(Prediction(given, one), noisy, Timesteps(times), process, to=other)  # type: ignore[arg-type]
            back = convert(there, noisy, Timesteps(times), process, to=one)  # type: ignore[arg-type]
            assert torch.allclose(back.data, given, atol=2e-3), (process.kind, one, other)


@pytest.mark.parametrize(
    ("process", "kind", "times", "words"),
    [
        (zero_snr(), "epsilon", torch.tensor([998, 999]), "epsilon cannot become sample at timestep 999"),
        (flow(), "epsilon", torch.tensor([0.5, 1.0]), "epsilon cannot become sample at timestep 1:"),
        (flow(), "sample", torch.tensor([0.5, 0.0]), "sample cannot become flow at timestep 0:"),
    ],
)
def test_what_a_prediction_does_not_say_is_refused(process: Process, kind: str, times: Any, words: str) -> None:
    noisy, to = NoisyLatents(X_0[:2]), "flow" if kind == "sample" else "sample"
    with pytest.raises(GraphError) as caught:
        convert(Prediction(NOISE[:2], kind), noisy, Timesteps(times), process, to=to)  # type: ignore[arg-type]
    assert caught.value.problem.code == "E_SCHEDULE" and words in caught.value.problem.message
    again = convert(Prediction(NOISE[:2], "v_prediction"), noisy, Timesteps(times), process, to="sample")
    assert again.data.isfinite().all()


def test_a_kind_that_a_process_has_not() -> None:
    process, times = PROCESSES["vp"]
    with pytest.raises(GraphError, match="has no prediction of the kind edm"):
        convert(Prediction(X_0, "edm"), NoisyLatents(X_0), Timesteps(times), process)


@pytest.mark.parametrize("name", ["flow", "edm"])
def test_times_of_another_kind_are_refused(name: str) -> None:
    for process, times in (
        (PROCESSES[name][0], PROCESSES["vp"][1]),
        (PROCESSES["vp"][0], PROCESSES[name][1]),
    ):
        with pytest.raises(GraphError) as caught:
            add_noise(Latents(X_0), Noise(NOISE), Timesteps(times), process)
        assert caught.value.problem.code == "E_TIMESTEPS"


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
@pytest.mark.parametrize("betas", ["scaled_linear", "linear", "squaredcos_cap_v2"])
def test_zero_terminal_snr_is_that_of_diffusers(kind: str, betas: str) -> None:
    own = table(prediction_type=kind, beta_schedule=betas)
    process = zero_terminal_snr(own)
    known = {"beta_start": SCHEDULE["beta_start"], "beta_end": SCHEDULE["beta_end"], "beta_schedule": betas}
    rescaled = rescale_zero_terminal_snr(diffusers.DDPMScheduler(**known).betas)
    assert torch.allclose(process.alphas_cumprod, torch.cumprod(1 - rescaled, 0), atol=1e-6)  # type: ignore[attr-defined]
    last = torch.tensor([999])
    assert process.snr(last) == 0 and own.snr(last) > 0 and process.zero_snr and not own.zero_snr
    assert process.config["rescale_betas_zero_snr"] and process.config["timestep_spacing"] == "trailing"
    assert process.prediction_type == kind
    assert zero_terminal_snr(process).config == process.config


def test_another_prediction_of_the_same_process() -> None:
    own = table()
    for kind in ("v_prediction", "sample", "epsilon"):
        process = predicting(own, prediction_type=kind)  # type: ignore[arg-type]
        assert process.prediction_type == process.config["prediction_type"] == kind
        assert torch.equal(process.alphas_cumprod, own.alphas_cumprod)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: zero_terminal_snr(table()), "epsilon predictions give no finite picture"),
        (lambda: zero_terminal_snr(flow()), "zero terminal SNR is for a table of timesteps"),
        (lambda: predicting(zero_snr(), prediction_type="epsilon"), "epsilon predictions give no finite picture"),
        (lambda: predicting(edm(), prediction_type="sample"), "of the kind edm"),
        (lambda: shift(table()), "a shift is for a rectified flow"),
    ],
)
def test_what_a_process_cannot_become(call: Any, words: str) -> None:
    with pytest.raises(GraphError, match=words) as caught:
        call()
    assert caught.value.problem.code == "E_SCHEDULE"


def test_a_shift_moves_times_as_diffusers_does() -> None:
    times = torch.linspace(0.001, 1, 50)
    for factor in (1.0, 3.0, 0.5):
        reference = diffusers.FlowMatchEulerDiscreteScheduler(shift=factor)
        reference.set_timesteps(sigmas=times.tolist())
        moved = flow(shift=factor).shift.apply(times, (1, 4, 8, 8))  # type: ignore[attr-defined]
        assert torch.allclose(moved, reference.sigmas[:-1], atol=1e-6)
    for size in (8, 64, 256):  # tokens: 16, 1024, 16384
        process = flow(use_dynamic_shifting=True)
        slope = (1.15 - 0.5) / (4096 - 256)
        mu = 0.5 + slope * (size * size / 4 - 256)
        reference = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
        reference.set_timesteps(sigmas=times.tolist(), mu=mu)
        moved = process.shift.apply(times, (1, 4, size, size))  # type: ignore[attr-defined]
        assert torch.allclose(moved, reference.sigmas[:-1], atol=1e-6)
        assert process.shift.mu(size * size // 4) == pytest.approx(mu)  # type: ignore[attr-defined]
    assert flow(use_dynamic_shifting=True, patch=1).shift.tokens((1, 4, 8, 6)) == 48  # type: ignore[attr-defined]


def test_a_shift_never_changes_the_process() -> None:
    times = torch.tensor([0.1, 0.4, 0.9])
    plain, moved = flow(), shift(flow(), shift=6.0)
    for name in ("alpha", "sigma", "snr", "emphasis"):
        assert torch.equal(getattr(plain, name)(times), getattr(moved, name)(times))
    assert moved.config["shift"] == 6.0 and plain.config["shift"] == 1.0
    with pytest.raises(GraphError, match="base_image_seq_len"):
        shift(flow(), base_image_seq_len=4096, max_image_seq_len=256)


@pytest.mark.parametrize("process", [edm(), edm(sigma_schedule="exponential", sigma_min=0.1, rho=3.0)])
def test_the_rate_of_edm_is_its_place_in_the_schedule(process: Any) -> None:
    rate = torch.linspace(0, 1, 11)
    assert torch.allclose(process.rate(process.at(rate)), rate, atol=1e-4)
    reference = diffusers.EDMEulerScheduler(**{key: value for key, value in process.config.items() if key[0] != "_"})
    reference.set_timesteps(11)
    assert torch.allclose(process.at(rate).flip(0), reference.sigmas[:-1], rtol=1e-4)


def test_the_rate_of_a_flow_and_of_a_table() -> None:
    assert torch.equal(flow().rate(torch.tensor([0.0, 0.3])), torch.tensor([0.0, 0.3]))
    assert torch.equal(table().rate(torch.tensor([0, 999])), torch.tensor([0.0, 1.0]))


RELEASED = {
    "SD 3": ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "num_train_timesteps": 1000}, 3.0),
    "FLUX.1": (
        {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "shift": 3.0,
            "use_dynamic_shifting": True,
            "base_shift": 0.5,
            "max_shift": 1.15,
            "base_image_seq_len": 256,
            "max_image_seq_len": 4096,
        },
        math.exp(1.15),
    ),
    "Sana": (
        {
            "_class_name": "DPMSolverMultistepScheduler",
            "use_flow_sigmas": True,
            "prediction_type": "flow_prediction",
            "flow_shift": 3.0,
        },
        3.0,
    ),
    "Qwen-Image": (
        {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "use_dynamic_shifting": True,
            "base_shift": 0.5,
            "max_shift": 0.9,
            "max_image_seq_len": 8192,
            "shift_terminal": 0.02,
        },
        math.exp(0.5 + 0.4 * (4096 - 256) / (8192 - 256)),
    ),
}


@pytest.mark.parametrize("name", RELEASED)
def test_flows_are_read_from_the_configurations_of_released_models(name: str) -> None:
    config, factor = RELEASED[name]
    process = read(config, CPU)
    assert process.kind == process.prediction_type == "flow"
    assert process.config == config
    assert process.shift.factor(4096) == pytest.approx(factor)  # type: ignore[attr-defined]
    assert process.shift.shift_terminal == config.get("shift_terminal")  # type: ignore[attr-defined]


def test_what_only_the_family_knows_of_a_shift() -> None:
    def rule(tokens: int, steps: int | None) -> float:
        return tokens / (steps or 1000)

    config = RELEASED["FLUX.1"][0]
    own = read(config, CPU, patch=1, mu_rule=rule, grid="table").shift  # type: ignore[attr-defined]
    assert (own.tokens((1, 4, 8, 8)), own.mu(50, 20), own.mu(50), own.grid) == (64, 2.5, 0.05, "table")
    asked = shift(read(config, CPU, patch=1, mu_rule=rule), use_dynamic_shifting=True).shift  # type: ignore[attr-defined]
    assert (asked.patch, asked.mu(256)) == (1, pytest.approx(0.5)), "the line that the user asked for"


def test_edm_is_read_from_the_configuration_of_a_released_model() -> None:
    config = {"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5}
    config |= {"prediction_type": "epsilon", "rho": 7.0, "solver_order": 2, "num_train_timesteps": 1000}
    process = read(config, CPU)
    assert (process.kind, process.prediction_type, process.config) == ("edm", "edm", config)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": True}, "invert_sigmas"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": "many"}, "no forward process"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": -1.0}, "no forward process"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "prediction_type": "epsilon"}, "predicts 'epsilon'"),
        (
            {"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True, "prediction_type": "epsilon"},
            "'epsilon'",
        ),
        ({"_class_name": "EDMEulerScheduler", "sigma_min": 5.0, "sigma_max": 1.0}, "sigma_min"),
        ({"_class_name": "EDMEulerScheduler", "prediction_type": "sample"}, "predicts 'sample'"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "cannot read a ScoreSdeVeScheduler"),
    ],
)
def test_configurations_of_no_process_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(GraphError, match=words) as caught:
        read(config, CPU)
    assert caught.value.problem.code == "E_SCHEDULE"
