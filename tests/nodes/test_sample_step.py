"""A drawn sampling step against diffusers, sample.denoise and ten-line references; its timesteps; the boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from hcpgraph_nodes.diffusion.boundary import boundary
from hcpgraph_nodes.diffusion.denoised import denoised
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.kinds.predictions import prediction_of
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.grid import grid
from hcpgraph_nodes.sample.step import step
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.timesteps.grid import grid_timesteps
from hcpgraph_nodes.timesteps.next import next_timesteps
from hcpgraph_nodes.types import Captions, Latents, Noise, NoisyLatents, Prediction, Process, Timesteps
from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.testing import context

from .conftest import SCHEDULE

CPU = torch.device("cpu")
TABLES = {
    kind: read({"_class_name": "DDIMScheduler", **SCHEDULE, "prediction_type": kind}, CPU)
    for kind in ("epsilon", "v_prediction", "sample")
}
PROCESSES: dict[str, Process] = {**TABLES, "flow": flow(), "shifted": flow(shift=3.0), "edm": edm()}
KEYS = (("d", 0, 4), ("d", 0, 5), ("d", 0, 6))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def times(process: Process, *rates: float) -> Tensor:
    if process.kind == "vp":
        return torch.tensor([int(rate * 999) for rate in rates])
    return process.at(torch.tensor(rates)) if process.kind == "edm" else torch.tensor(rates)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_perfect_prediction_leads_to_the_latents_of_the_other_timesteps(name: str) -> None:
    process = PROCESSES[name]
    picture, noise = random(3, 4, 8, 8), random(3, 4, 8, 8, seed=1)
    t, s = times(process, 0.9, 0.5, 0.3), times(process, 0.6, 0.1, 0.2)
    noisy = NoisyLatents(process.mix(picture, noise, t), KEYS)
    said = Prediction(prediction_of(process, process.prediction_type, picture, noise, t), process.prediction_type)
    found = step(said, noisy, Timesteps(t), Timesteps(s), process)
    assert torch.allclose(found.data, process.mix(picture, noise, s), rtol=1e-4, atol=1e-4)
    assert found.keys == KEYS
    assert torch.allclose(denoised(said, noisy, Timesteps(t), process).data, picture, rtol=1e-3, atol=1e-3)
    other = step(said, noisy, Timesteps(t), Timesteps(t), process).data
    assert not torch.allclose(other, process.mix(picture, noise, s), atol=1e-2), "the twin that stays"


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("kind", TABLES)
def test_equals_ddim_of_diffusers(kind: str, eta: float) -> None:
    process = TABLES[kind]
    solver = diffusers.DDIMScheduler.from_config(process.config)
    solver.set_timesteps(20)
    x, output, fresh = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1), random(2, 4, 8, 8, seed=2)
    for timestep in solver.timesteps[:-1]:
        t = Timesteps(timestep.expand(2))
        s = next_timesteps(t, process, steps=20)
        expected = solver.step(output, timestep, x, eta=eta, variance_noise=fresh, return_dict=False)[0]
        found = step(Prediction(output, kind), NoisyLatents(x), t, s, process, Noise(fresh), eta=eta).data
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
        twin = step(Prediction(output, kind), NoisyLatents(x), t, s, process, Noise(fresh), eta=abs(eta - 0.5)).data
        assert not torch.allclose(twin, expected, atol=1e-4)
    last = Timesteps(solver.timesteps[-1:].expand(2))
    assert next_timesteps(last, process, steps=20).data.tolist() == [0, 0], "set_alpha_to_one is off"
    expected = solver.step(output, solver.timesteps[-1], x, return_dict=False)[0]
    found = step(Prediction(output, kind), NoisyLatents(x), last, Timesteps(torch.zeros(2).long()), process).data
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["flow", "shifted"])
def test_equals_euler_of_a_flow_in_diffusers(name: str) -> None:
    process = PROCESSES[name]
    solver = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0 if name == "shifted" else 1.0)
    solver.set_timesteps(8, sigmas=[1 - i / 8 for i in range(8)])
    x, output = random(1, 4, 8, 8), random(1, 4, 8, 8, seed=1)
    assert torch.allclose(grid(process, 8, "auto", (8, 8), CPU).times, solver.sigmas[:-1], atol=1e-6)
    for index, timestep in enumerate(solver.timesteps):
        t = Timesteps(solver.sigmas[index].view(1))
        s = next_timesteps(t, process, steps=8)
        assert torch.allclose(s.data, solver.sigmas[index + 1], atol=1e-6)
        expected = solver.step(output, timestep, x, return_dict=False)[0]
        assert torch.allclose(
            step(Prediction(output, "flow"), NoisyLatents(x), t, s, process).data, expected, atol=1e-6
        )


def test_equals_euler_and_the_ancestral_step_of_edm() -> None:
    process = edm()
    x, picture = 5 * random(1, 4, 8, 8), random(1, 4, 8, 8, seed=1)
    high, low = torch.tensor([5.0]), torch.tensor([2.0])
    slope = (x - picture) / high  # Karras et al. 2022, algorithm 1
    said = Prediction(picture, "sample")
    args = (said, NoisyLatents(x), Timesteps(high), Timesteps(low), process)
    assert torch.allclose(step(*args).data, x + (low - high) * slope, atol=1e-5)
    up = (low**2 * (high**2 - low**2) / high**2).sqrt()  # diffusers' EulerAncestralDiscreteScheduler
    down = (low**2 - up**2).sqrt()
    fresh = random(1, 4, 8, 8, seed=2)
    ancestral = x + (down - high) * slope + up * fresh
    assert torch.allclose(step(*args, Noise(fresh), eta=1.0).data, ancestral, atol=1e-5)


@pytest.mark.parametrize("steps", [5, 20])
def test_steps_with_predict_are_what_sample_denoise_does(workspace: Path, steps: int) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a red cat",)))
    latents = empty_latents(model.vae, width=16, height=24, count=2)
    noise = Noise(random(*latents.data.shape))
    args = (ctx, model.denoiser, model.schedule, text, latents, None, noise)
    reference = denoise(*args, sampler="ddim", steps=steps, guidance=1.0).data
    noisy, t = (
        NoisyLatents(noise.data),
        Timesteps(grid(model.schedule, steps, "auto", (12, 8), CPU).times[:1].expand(2)),
    )
    with torch.no_grad():
        for _ in range(steps):
            said = predict(model.denoiser, noisy, t, text, None, model.schedule)
            to = next_timesteps(t, model.schedule, steps=steps)
            noisy, t = step(said, noisy, t, to, model.schedule), to
    assert (noisy.data - reference).abs().max() <= 1e-6 * max(1.0, reference.abs().max())
    assert t.data.tolist() == [0, 0]


@pytest.mark.parametrize("name", PROCESSES)
def test_gradients_go_through_prediction_and_latents(name: str) -> None:
    process = PROCESSES[name]
    x, output = random(2, 4, 4, 4).requires_grad_(), random(2, 4, 4, 4, seed=1).requires_grad_()
    t, s = times(process, 0.8, 0.5), times(process, 0.4, 0.2)
    said = Prediction(output, process.prediction_type)
    found = step(said, NoisyLatents(x), Timesteps(t), Timesteps(s), process).data
    weight = random(2, 4, 4, 4, seed=2)
    ours = torch.autograd.grad((found * weight).sum(), (x, output))
    alpha, sigma, alpha_s, sigma_s = (
        each.double().view(-1, 1, 1, 1) for each in (*process.coefficients(t), *process.coefficients(s))
    )
    if process.kind == "edm":
        length = (sigma**2 + 0.25).sqrt()
        picture = 0.25 / length**2 * x.double() + sigma * 0.5 / length * output.double()
    else:
        picture = {
            "epsilon": lambda: (x - sigma * output) / alpha,
            "v_prediction": lambda: alpha * x - sigma * output,
            "sample": output.double,
            "flow": lambda: x - sigma * output,
        }[process.prediction_type]()
    reference = alpha_s * picture + sigma_s * (x - alpha * picture) / sigma
    theirs = torch.autograd.grad((reference * weight).sum(), (x, output))
    assert torch.allclose(found.double(), reference, rtol=1e-4, atol=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4) and one.abs().sum() > 0


def test_bad_input_is_told() -> None:
    process = TABLES["epsilon"]
    said, noisy = Prediction(random(2, 4, 4, 4)), NoisyLatents(random(2, 4, 4, 4))
    two, one = Timesteps(torch.tensor([500, 400])), Timesteps(torch.tensor([1]))
    for port, pair in (("timesteps", (one, two)), ("to", (two, one))):
        with pytest.raises(GraphError) as caught:
            step(said, noisy, *pair, process)
        assert (caught.value.problem.code, caught.value.problem.port) == ("E_BATCH", port)
    with pytest.raises(GraphError) as caught:
        step(said, noisy, two, two, process, eta=0.5)
    assert caught.value.problem.code == "E_NO_NOISE"
    with pytest.raises(GraphError) as caught:
        step(said, noisy, Timesteps(torch.tensor([0.5, 0.4])), two, process)
    assert caught.value.problem.code == "E_TIMESTEPS"


def test_fresh_noise_at_the_ends_gives_numbers() -> None:
    zero = read({**TABLES["v_prediction"].config, "rescale_betas_zero_snr": True}, CPU)
    said, noisy = Prediction(random(1, 4, 4, 4), "v_prediction"), NoisyLatents(random(1, 4, 4, 4))
    for high, low in ((999, 999), (999, 500), (10, 0)):
        args = (Timesteps(torch.tensor([high])), Timesteps(torch.tensor([low])), zero, Noise(random(1, 4, 4, 4)))
        assert torch.isfinite(step(said, noisy, *args, eta=1.0).data).all()
    ends = Timesteps(torch.tensor([0.0])), Timesteps(torch.tensor([0.0]))
    flowing = Prediction(random(1, 4, 4, 4), "flow")
    assert torch.equal(step(flowing, noisy, *ends, flow(), Noise(noisy.data), eta=1.0).data, noisy.data)


def test_the_grid_of_lcm(tmp_path: Path) -> None:
    process = TABLES["epsilon"]
    keys = tuple(("d", 0, index) for index in range(3000))
    latents = Latents(torch.zeros(3000, 4, 1, 1), keys)
    ctx = context(tmp_path, node="t", seed=3, path=(1,))
    drawn = grid_timesteps(ctx, latents, process, spacing="trailing")
    lcm = torch.arange(1, 51) * (1000 // 50) - 1  # DDIMSolver of the authors' train_lcm_distill
    counts = torch.bincount(drawn.data, minlength=1000)
    assert torch.equal(counts.nonzero().flatten(), lcm) and drawn.keys == keys
    assert counts[lcm].min() > 25 and counts[lcm].max() < 100
    after = next_timesteps(drawn, process, spacing="trailing").data
    assert torch.equal(after, (drawn.data - 20).clamp(min=0))
    three = next_timesteps(drawn, process, spacing="trailing", by=3).data
    assert torch.equal(three, (drawn.data - 60).clamp(min=0))
    alone = grid_timesteps(ctx, Latents(latents.data[7:8], keys[7:8]), process, spacing="trailing")
    assert torch.equal(alone.data, drawn.data[7:8])
    between = Timesteps(torch.tensor([1000 - 1, 985, 20, 19, 5]))
    assert next_timesteps(between, process, spacing="trailing").data.tolist() == [979, 979, 19, 0, 0]


@pytest.mark.parametrize("name", ["flow", "shifted", "edm"])
def test_grids_of_noise_levels(tmp_path: Path, name: str) -> None:
    process = PROCESSES[name]
    ctx, latents = context(tmp_path, node="t", path=(1,)), Latents(torch.zeros(400, 4, 8, 8))
    drawn = grid_timesteps(ctx, latents, process, steps=6, skip_last=2)
    points = grid(process, 6, "auto", (8, 8), CPU).times
    assert drawn.data.dtype is torch.float32 and set(drawn.data.tolist()) == set(points[:4].tolist())
    after = next_timesteps(drawn, process, latents, steps=6).data
    following = dict(zip(points.tolist(), [*points[1:].tolist(), 0.0], strict=True))
    assert after.tolist() == [following[t] for t in drawn.data.tolist()]
    assert next_timesteps(Timesteps(points[-1:]), process, latents, steps=6).data.tolist() == [0.0]


def test_one_draw_for_all_and_draws_that_lie_evenly(tmp_path: Path) -> None:
    process = TABLES["epsilon"]
    latents = Latents(torch.zeros(8, 4, 1, 1), tuple(("d", 0, 16 + index) for index in range(8)))
    firsts, uneven = set(), 0
    for number in range(20):
        ctx = context(tmp_path, node="t", path=(number,))
        same = grid_timesteps(ctx, latents, process, same=True).data
        assert len(set(same.tolist())) == 1
        firsts.add(int(same[0]))
        points = grid(process, 64, "auto", (1, 1), CPU).times.tolist()
        even = [points.index(t) for t in grid_timesteps(ctx, latents, process, steps=64, strata=8).data.tolist()]
        assert sorted(place // 8 for place in even) == list(range(8))
        steps = {(one - other) % 64 for one, other in zip(even[1:], even, strict=False)}
        assert steps <= {8}, "u_0 + i / 8, as in VDM"
        half = Latents(latents.data[4:], latents.keys and latents.keys[4:])
        assert [points[place] for place in even[4:]] == grid_timesteps(
            ctx, half, process, steps=64, strata=8
        ).data.tolist(), "two ranks draw as one"
        alone = grid_timesteps(ctx, latents, process, steps=64).data.tolist()
        uneven += sorted(points.index(t) // 8 for t in alone) != list(range(8))
    assert len(firsts) > 8 and uneven > 15


def test_grids_that_do_not_exist(tmp_path: Path) -> None:
    ctx, latents = context(tmp_path), Latents(torch.zeros(1, 4, 8, 8))
    cases: list[tuple[str, Any, dict[str, Any]]] = [
        ("E_RANGE", TABLES["epsilon"], {"steps": 4, "skip_last": 4}),
        ("E_SETTING", flow(), {"spacing": "trailing"}),
    ]
    for code, process, settings in cases:
        with pytest.raises(GraphError) as caught:
            grid_timesteps(ctx, latents, process, **settings)
        assert caught.value.problem.code == code
    dynamic = flow(use_dynamic_shifting=True)
    with pytest.raises(GraphError) as caught:
        next_timesteps(Timesteps(torch.tensor([0.5])), dynamic)
    assert caught.value.problem.code == "E_SCHEDULE"
    assert float(next_timesteps(Timesteps(torch.tensor([0.5])), dynamic, latents).data) < 0.5


def test_the_boundary_of_lcm() -> None:
    process = TABLES["epsilon"]
    solver = diffusers.LCMScheduler.from_config(process.config)
    solver.set_timesteps(4)
    x, output = random(3, 4, 8, 8), random(3, 4, 8, 8, seed=1)
    t = torch.tensor([0, 19, 999])
    found = boundary(Prediction(output), NoisyLatents(x), Timesteps(t), process)
    for row, timestep in enumerate(t):
        skip, out = solver.get_scalings_for_boundary_condition_discrete(timestep)
        alpha = solver.alphas_cumprod[timestep]
        picture = (x[row] - (1 - alpha).sqrt() * output[row]) / alpha.sqrt()
        assert torch.allclose(found.data[row], skip * x[row] + out * picture, rtol=1e-5, atol=1e-5)
    assert found.kind == "sample" and torch.equal(found.data[0], x[0]), "at timestep 0 it is the latents themselves"
    other = boundary(Prediction(output), NoisyLatents(x), Timesteps(t), process, scaling=0.01).data
    assert not torch.allclose(other[1], found.data[1], atol=1e-3)


def test_the_boundary_of_edm_and_of_a_flow() -> None:
    process = edm()
    x, output = random(2, 4, 8, 8).requires_grad_(), random(2, 4, 8, 8, seed=1).requires_grad_()
    sigma, low, data = torch.tensor([process.sigma_min, 3.0]), process.sigma_min, 0.5
    said = boundary(Prediction(output, "edm"), NoisyLatents(x), Timesteps(sigma), process).data
    wide = sigma.view(-1, 1, 1, 1)
    skip = data**2 / ((wide - low) ** 2 + data**2)
    out = data * (wide - low) / (wide**2 + data**2).sqrt()
    assert torch.allclose(said, skip * x + out * output, rtol=1e-5, atol=1e-6)
    assert torch.equal(said[0], x[0])
    gradients = torch.autograd.grad(said.sum(), (x, output))
    assert torch.allclose(gradients[0], skip.expand_as(x)) and torch.allclose(gradients[1], out.expand_as(x))
    flowing = boundary(Prediction(output, "flow"), NoisyLatents(x), Timesteps(torch.tensor([0.0, 0.5])), flow()).data
    assert torch.equal(flowing[0], x[0])
    assert torch.allclose(flowing[1], x[1] - 0.5 * output[1], atol=1e-3), "far from the end the picture alone"
