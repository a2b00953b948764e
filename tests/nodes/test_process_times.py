"""Distributions of process times and weights of losses at them, against formulas of diffusers and of papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_loss_weighting_for_sd3
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.timesteps import draw_timesteps
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.loss.min_snr import min_snr
from hcpgraph_nodes.loss.weighting import weighting
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.kinds import draws
from hcpgraph_nodes.process.kinds.predictions import combination
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Latents, NoisyLatents, Process, SampleLoss, Timesteps
from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.testing import context

from .conftest import SCHEDULE

COUNT = 4000
KEYS = tuple(("d", 0, index) for index in range(COUNT))
LATENTS = Latents(torch.zeros(COUNT, 1, 16, 16), KEYS)


def table(**config: Any) -> Process:
    return read({**SCHEDULE, **config}, torch.device("cpu"))


def drawn(process: Process, tmp_path: Path, latents: Latents = LATENTS, **settings: Any) -> Tensor:
    return draw_timesteps(context(tmp_path, node="t", seed=1), latents, process, **settings).data


def apart(found: Tensor, expected: Tensor) -> float:
    """The largest distance of two empirical distribution functions (Kolmogorov–Smirnov)."""
    both = torch.cat([found, expected]).double().sort().values
    parts = (
        torch.searchsorted(each.double().sort().values, both, right=True) / len(each) for each in (found, expected)
    )
    one, other = parts
    return float((one - other).abs().max())


def of_diffusers(scheme: str, **settings: float) -> Tensor:
    """Positions u in the table of diffusers' scripts, which begins with the noise: the share of noise is 1 − u."""
    generator = torch.Generator().manual_seed(0)
    names = {"mean": "logit_mean", "std": "logit_std", "mode_scale": "mode_scale"}
    given = {names[name]: value for name, value in settings.items()}
    return 1 - compute_density_for_timestep_sampling(scheme, 20000, generator=generator, **given)


@pytest.mark.parametrize(
    ("scheme", "settings", "theirs"),
    [
        ("uniform", {}, {}),
        ("logit_normal", {}, {"mean": 0.0, "std": 1.0}),
        ("logit_normal", {"mean": 0.7, "std": 0.5}, {"mean": -0.7, "std": 0.5}),
        ("mode", {}, {"mode_scale": 1.29}),
        ("mode", {"mode_scale": -0.8}, {"mode_scale": -0.8}),
    ],
)
def test_shares_of_noise_are_distributed_as_in_diffusers(
    scheme: str, settings: dict[str, float], theirs: dict[str, float], tmp_path: Path
) -> None:
    reference = of_diffusers(scheme, **theirs)
    flowing = drawn(flow(), tmp_path, distribution=scheme, **settings)
    assert flowing.dtype is torch.float32 and flowing.min() >= 0 and flowing.max() <= 1
    assert apart(flowing, reference) < 0.035  # 5 % of draws of one distribution are 0.024 apart
    numbered = drawn(table(), tmp_path, distribution=scheme, **settings)
    assert numbered.dtype is torch.int64 and torch.equal(numbered, (flowing.double() * 1000).long().clamp(max=999))
    if scheme != "uniform":
        assert apart(drawn(flow(), tmp_path), reference) > 0.06, "uniform draws are not this distribution"


def test_the_formulas_are_those_of_diffusers_number_for_number() -> None:
    u = torch.rand(50, generator=torch.Generator().manual_seed(3))
    theirs = compute_density_for_timestep_sampling(
        "mode", 50, mode_scale=0.9, generator=torch.Generator().manual_seed(3)
    )
    assert torch.allclose(draws.mode(u, 0.9), theirs, atol=1e-6)
    normal = torch.randn(50, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.allclose(
        draws.logit_normal(torch.special.ndtr(normal), 0.4, 1.3), torch.sigmoid(0.4 + 1.3 * normal), atol=1e-9
    )
    assert torch.allclose(draws.cosmap(torch.tensor([0.0, 0.5])), torch.tensor([0.0, 0.5]), atol=1e-6)


def test_cosmap_has_the_density_that_is_its_weight(tmp_path: Path) -> None:
    found = drawn(flow(), tmp_path, distribution="cosmap")
    grid = (torch.arange(200000) + 0.5) / 200000
    weight = compute_loss_weighting_for_sd3("cosmap", grid)
    expected = grid[torch.searchsorted(weight.cumsum(0) / weight.sum(), torch.linspace(0, 0.9999, 20000))]
    assert apart(found, expected) < 0.03


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 2.0), (0.6, 3.0)])
def test_beta_is_the_distribution_of_that_name(alpha: float, beta: float, tmp_path: Path) -> None:
    found = drawn(flow(), tmp_path, distribution="beta", alpha=alpha, beta=beta)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = torch.distributions.Beta(alpha, beta).sample((20000,))
    assert apart(found, expected) < 0.03
    assert apart(found, drawn(flow(), tmp_path)) > 0.1


def test_draws_of_edm(tmp_path: Path) -> None:
    for settings, (mean, std) in (({}, (-1.2, 1.2)), ({"mean": 0.5, "std": 0.4}, (0.5, 0.4))):
        sigma = drawn(edm(), tmp_path, distribution="edm", **settings)
        assert abs(float(sigma.log().mean()) - mean) < 0.08 and abs(float(sigma.log().std()) - std) < 0.05
    grid = torch.rand(20000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    karras = (0.002 ** (1 / 7) + grid * (80 ** (1 / 7) - 0.002 ** (1 / 7))) ** 7
    assert apart(drawn(edm(), tmp_path), karras) < 0.03
    narrow = drawn(edm(sigma_min=0.3, sigma_max=0.31), tmp_path, distribution="edm")
    assert narrow.min() >= 0.3 and narrow.max() <= 0.31
    even = drawn(edm(sigma_schedule="exponential"), tmp_path).log()
    assert apart(even, math.log(0.002) + grid * (math.log(80) - math.log(0.002))) < 0.03


@pytest.mark.parametrize("distribution", ["uniform", "logit_normal", "mode", "cosmap", "beta"])
def test_a_range_holds_whatever_the_distribution(distribution: Any, tmp_path: Path) -> None:
    settings = {"distribution": distribution, "low": 200, "high": 800}
    numbered = drawn(table(), tmp_path, **settings)
    assert numbered.min() >= 200 and numbered.max() < 800
    moved = drawn(flow(shift=5.0), tmp_path, **settings)
    assert moved.min() >= 0.2 and moved.max() <= 0.8
    assert moved.mean() > drawn(flow(), tmp_path, **settings).mean() + 0.05


def test_draws_belong_to_the_sample_not_to_the_batch(tmp_path: Path) -> None:
    for process, distribution in ((flow(), "beta"), (flow(), "mode"), (edm(), "edm"), (table(), "logit_normal")):
        whole = drawn(process, tmp_path, distribution=distribution)
        part = drawn(process, tmp_path, Latents(LATENTS.data[:3], KEYS[5:8]), distribution=distribution)
        assert torch.equal(part, whole[5:8])


def test_a_dynamic_shift_moves_draws_the_more_the_larger_the_picture(tmp_path: Path) -> None:
    process = flow(use_dynamic_shifting=True)
    small, large = (drawn(process, tmp_path, Latents(torch.zeros(COUNT, 1, side, side), KEYS)) for side in (32, 128))
    u = drawn(flow(), tmp_path).double()
    for found, mu in ((small, 0.5), (large, 1.15)):
        expected = math.exp(mu) / (math.exp(mu) + 1 / u.clamp(min=1e-9) - 1)
        assert torch.allclose(found.double(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("process", "settings", "code"),
    [
        (edm(), {"distribution": "logit_normal"}, "E_DISTRIBUTION"),
        (flow(), {"distribution": "edm"}, "E_DISTRIBUTION"),
        (table(), {"distribution": "edm"}, "E_DISTRIBUTION"),
        (edm(), {"low": 3}, "E_RANGE"),
        (edm(), {"high": 999}, "E_RANGE"),
        (flow(), {"low": 1000}, "E_RANGE"),
    ],
)
def test_times_that_a_process_has_not(process: Process, settings: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        drawn(process, tmp_path, **settings)
    assert caught.value.problem.code == code


@pytest.mark.parametrize("scheme", ["sigma_sqrt", "cosmap"])
def test_weights_of_sd3_are_those_of_diffusers(scheme: Any) -> None:
    loss, sigma = torch.ones(5, 2, 3), torch.tensor([0.001, 0.2, 0.5, 0.9, 1.0])
    made = weighting(SampleLoss(loss), Timesteps(sigma), flow(), scheme=scheme).data
    assert torch.allclose(made, compute_loss_weighting_for_sd3(scheme, sigma).view(-1, 1, 1) * loss, rtol=1e-5)
    end = weighting(SampleLoss(loss[:1]), Timesteps(torch.zeros(1)), flow(), scheme="sigma_sqrt").data
    assert torch.allclose(end, torch.tensor(1e6)), "the lowest noise of the table of diffusers' scripts"


def test_a_squared_share_compares_pictures() -> None:
    """The SD 3 scripts compare x_t − σ · output with x_0."""
    x_0, noise, output = (torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(n)) for n in range(3))
    sigma = torch.tensor([0.1, 0.4, 0.7, 0.95])
    wide = sigma.view(-1, 1, 1)
    theirs = ((1 - wide) * x_0 + wide * noise - wide * output - x_0).square()
    loss = SampleLoss((output - (noise - x_0)).square())
    assert torch.allclose(weighting(loss, Timesteps(sigma), flow(), scheme="sigma_squared").data, theirs, atol=1e-5)


def test_weights_of_sd3_are_for_flows() -> None:
    for process, times in ((table(), torch.tensor([3])), (edm(), torch.tensor([0.3]))):
        with pytest.raises(GraphError, match="rectified flow") as caught:
            weighting(SampleLoss(torch.ones(1, 2)), Timesteps(times), process)
        assert caught.value.problem.code == "E_SCHEDULE"


@pytest.mark.parametrize(
    "process", [table(prediction_type="v_prediction"), table(prediction_type="sample"), table(), flow(), edm()]
)
def test_min_snr_weighs_the_error_of_the_picture(process: Process) -> None:
    """Whatever is predicted, the weighted loss is min(snr, γ) times the squared error of x_0 that it makes."""
    times = {
        "vp": torch.tensor([5, 300, 900]),
        "flow": torch.tensor([0.1, 0.5, 0.9]),
        "edm": torch.tensor([0.1, 1, 9.0]),
    }
    t = times[process.kind]
    a, b = combination(process, process.prediction_type, t)
    error = 0.25  # of the prediction; x_0 = (σ p − b x) / (a σ − b α) is linear in it
    of_picture = error * process.sigma(t) / (a * process.sigma(t) - b * process.alpha(t))
    expected = process.snr(t).clamp(max=5) * of_picture.square()
    made = min_snr(SampleLoss(torch.full((3, 1), error**2)), Timesteps(t), process, gamma=5.0).data
    assert torch.allclose(made[:, 0], expected, rtol=1e-4)


def test_min_snr_of_edm_without_a_limit_is_constant_times_the_data() -> None:
    """γ above every snr: snr / (snr + 1 / σ_data²), the share of signal."""
    process, sigma = edm(), torch.tensor([0.5, 2.0])
    made = min_snr(SampleLoss(torch.ones(2, 1)), Timesteps(sigma), process, gamma=100.0).data[:, 0]
    assert torch.allclose(made, 0.25 / (0.25 + sigma**2))


def test_the_network_is_told_what_its_process_says(workspace: Path) -> None:
    model = load_model(context(workspace), path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    noisy = NoisyLatents(torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)))

    def unet(latents: Tensor, times: Tensor) -> Tensor:
        module = model.denoiser.root.module
        return module(latents, times, text.data.expand(2, -1, -1)).sample

    def ours(times: Tensor, process: Process | None) -> Any:
        return predict(model.denoiser, noisy, Timesteps(times), text, None, process)

    numbers = torch.tensor([10, 700])
    plain, own = ours(numbers, None), ours(numbers, model.schedule)
    assert torch.equal(plain.data, own.data) and plain.kind == own.kind == "epsilon"
    share = torch.tensor([0.01, 0.7])
    flowing = ours(share, flow())
    assert flowing.kind == "flow" and torch.equal(flowing.data, unet(noisy.data, share * 1000))
    sigma = torch.tensor([0.3, 20.0])
    c_in = (1 / (sigma**2 + 0.25).sqrt()).view(-1, 1, 1, 1)
    for sign, name in ((1, "epsilon"), (-1, "v_prediction")):
        made = ours(sigma, edm(prediction_type=name))  # type: ignore[arg-type]
        assert made.kind == "edm"
        assert torch.allclose(made.data, sign * unet(c_in * noisy.data, sigma.log() / 4), atol=1e-6)
    with pytest.raises(GraphError) as caught:
        ours(share, None)
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_TIMESTEPS", "schedule")
