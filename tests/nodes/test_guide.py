"""diffusion.guide: HCP-Diffusion's schedules, DreamArtist and DreamArtist++ against steps written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.guide import guide, scales
from hcpgraph_nodes.diffusion.guide_rule import scale_needs_timesteps
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.process.kinds.vp import VariancePreserving
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, NoisyLatents, Prediction, Target, Timesteps

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TARGET = Target(random(2, 4, 8, 8, seed=2))
SCHEDULE = VariancePreserving(torch.linspace(0.999, 0.001, 1000))


def reference(positive, negative, timesteps, low: float, high: float, shape: str):
    """One sample after the other, with Python's numbers."""
    rows = []
    for index, t in enumerate(timesteps.tolist()):
        r = t / 999
        f = {"linear": r, "cos": math.cos((r - 1) * math.pi / 2), "cos2": 1 - math.cos(r * math.pi / 2)}[shape]
        s = (high - low) * f + low
        rows.append(negative[index] + s * (positive[index] - negative[index]))
    return torch.stack(rows)


@pytest.mark.parametrize("shape", ["linear", "cos", "cos2"])
@pytest.mark.parametrize("ends", [(1.0, 5.0), (6.0, 2.0)])
def test_a_scale_by_timestep_is_that_of_hcp(shape, ends: tuple[float, float]) -> None:
    positive, negative = (random(5, 4, 3, 2, seed=seed) for seed in (1, 2))
    times = torch.tensor([0, 1, 333, 700, 999])
    guided = guide(
        Prediction(positive, "v_prediction"),
        Prediction(negative, "v_prediction"),
        Timesteps(times),
        SCHEDULE,
        scale=ends[0],
        scale_high=ends[1],
        shape=shape,
    )
    assert guided.kind == "v_prediction" and guided.data.dtype is torch.float32
    torch.testing.assert_close(guided.data, reference(positive, negative, times, *ends, shape), rtol=1e-5, atol=1e-5)
    found = scales(times / 999, *ends, shape)
    assert found.shape == (5,) and found[0] == pytest.approx(ends[0]) and found[-1] == pytest.approx(ends[1])
    middle = float(found[2] - ends[0]) / (ends[1] - ends[0])
    assert {"linear": middle == pytest.approx(1 / 3), "cos": middle > 0.45, "cos2": middle < 0.2}[shape]


def test_equal_ends_are_a_constant_scale() -> None:
    positive, negative = Prediction(random(2, 4, 8, 8)), Prediction(random(2, 4, 8, 8, seed=1))
    constant = guide(positive, negative, scale=3.0).data
    assert torch.equal(constant, negative.data + 3.0 * (positive.data - negative.data))
    for shape in ("linear", "cos", "cos2"):
        same = guide(positive, negative, TIME, SCHEDULE, scale=3.0, scale_high=3.0, shape=shape).data
        assert torch.equal(same, constant)


def test_gradients_flow_through_both_sides() -> None:
    positive, negative = (random(2, 4, 8, 8, seed=seed).requires_grad_() for seed in (1, 2))
    guide(Prediction(positive), Prediction(negative), TIME, SCHEDULE, scale=2.0, scale_high=5.0).data.sum().backward()
    each = scales(SCHEDULE.rate(TIME.data), 2.0, 5.0, "linear").view(2, 1, 1, 1).expand(2, 4, 8, 8)
    torch.testing.assert_close(positive.grad, each)
    torch.testing.assert_close(negative.grad, 1 - each)


def test_mistakes_name_their_remedy() -> None:
    one = Prediction(random(2, 4, 8, 8))
    calls = [
        ("E_PREDICTION", lambda: guide(one, Prediction(one.data, "v_prediction"))),
        ("E_BATCH", lambda: guide(one, Prediction(one.data[:1]))),
        ("E_BATCH", lambda: guide(one, one, Timesteps(torch.tensor([1, 2, 3])), SCHEDULE, scale_high=5.0)),
        ("E_NO_TIMESTEPS", lambda: guide(one, one, scale_high=5.0)),
        ("E_NO_TIMESTEPS", lambda: guide(one, one, TIME, scale_high=5.0)),
    ]
    for code, call in calls:
        with pytest.raises(GraphError) as caught:
            call()
        assert caught.value.problem.code == code and caught.value.problem.hint


def test_missing_wires_are_named_before_anything_runs(tmp_path: Path) -> None:
    def problems(scale_high: float | None, *wired: str) -> list[tuple[str, str | None]]:
        class View:
            node, type, connected, settings = "n", "diffusion.guide", frozenset(wired), {"scale_high": scale_high}

        return [(problem.code, problem.port) for problem in scale_needs_timesteps(View())]

    assert problems(None) == [] == problems(5.0, "timesteps", "schedule")
    assert problems(5.0) == [("E_NO_TIMESTEPS", "timesteps"), ("E_NO_TIMESTEPS", "schedule")]
    assert problems(5.0, "timesteps") == [("E_NO_TIMESTEPS", "schedule")]
    assert problems(None, "schedule") == [("W_TIMESTEPS_UNUSED", "schedule")]
    g = Graph()
    g.add("diffusion.guide", "guide", scale_high=5.0)
    assert "E_NO_TIMESTEPS" in {problem.code for problem in hcpgraph.validate(g, workspace=tmp_path)}


def filled(workspace: Path, handle, seed: int, **settings):
    """A LoRA whose weights are not the identity."""
    result = lora(context(workspace, node=f"lora{seed}"), handle, rank=2, **settings)
    with torch.no_grad():
        for index, parameter in enumerate(result.adapter.plugin.parameters()):
            parameter.copy_(0.2 * random(*parameter.shape, seed=1000 * seed + index))
    return result


def merged(base: torch.nn.Module, plugin) -> tuple[Callable[..., torch.Tensor], dict[str, torch.Tensor]]:
    """A UNet whose weights are W + alpha / rank · up · down, and the leaves up and down by name."""
    from torch.func import functional_call

    leaves = {name: parameter.detach().clone().requires_grad_() for name, parameter in plugin.named_parameters()}
    names = {block: name for name, block in plugin.named_modules()}
    weights = {}
    for path, block in plugin.blocks.items():
        up, down = (leaves[f"{names[block]}.{part}.weight"] for part in ("up", "down"))
        weights[f"{path}.weight"] = base.get_submodule(path).weight + block.alpha / block.rank * up @ down
    return lambda *args: functional_call(base, weights, args).sample, leaves


@pytest.mark.parametrize("checkpointing", [False, True])
def test_dreamartist_plus_plus_is_a_step_of_two_passes(workspace: Path, checkpointing: bool) -> None:
    """Words are told apart by LoRAs of the text encoder; each branch has its own LoRA on the one UNet."""
    model = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing)
    texts = [filled(workspace, model.text_encoder, seed) for seed in (1, 2)]
    unets = [filled(workspace, model.denoiser, seed, layers=["re:.*attn1.to_(q|k)$"]) for seed in (3, 4)]
    conditions = [encode_text(text.model, Captions(("a cat",))) for text in texts]
    guided = guide(
        *(predict(unet.model, NOISY, TIME, each) for unet, each in zip(unets, conditions, strict=True)), scale=3.0
    )
    loss = mse(guided, TARGET).data.mean()
    loss.backward()

    from diffusers import UNet2DConditionModel

    base = UNet2DConditionModel.from_pretrained(workspace / "models/tiny/unet", local_files_only=True)
    base.requires_grad_(False)
    words = [each.data.detach().clone().expand(2, -1, -1).contiguous().requires_grad_() for each in conditions]
    passes = [merged(base, unet.adapter.plugin) for unet in unets]
    outputs = [run(NOISY.data, TIME.data, word) for (run, _), word in zip(passes, words, strict=True)]
    expected = ((outputs[1] + 3.0 * (outputs[0] - outputs[1]) - TARGET.data) ** 2).mean()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for unet, (_, leaves) in zip(unets, passes, strict=True):
        for name, parameter in unet.adapter.plugin.named_parameters():
            torch.testing.assert_close(parameter.grad, leaves[name].grad, rtol=1e-3, atol=1e-6)
            assert parameter.grad.any()
    for text, word in zip(texts, words, strict=True):
        again = encode_text(text.model, Captions(("a cat",))).data
        parameters = list(text.adapter.plugin.parameters())
        own = torch.autograd.grad(again, parameters, word.grad.sum(dim=0, keepdim=True))
        for parameter, gradient in zip(parameters, own, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def test_sampling_has_words_and_loras_of_its_own_on_each_side(workspace: Path) -> None:
    """sample.denoise with negative_denoiser is guidance by two models, each with the text that belongs to it."""
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    texts = [encode_text(filled(workspace, model.text_encoder, s).model, Captions(("a cat",))) for s in (1, 2)]
    unets = [filled(workspace, model.denoiser, seed).model for seed in (3, 4)]
    latents = empty_latents(model.vae, width=16, height=16, count=2)
    found = denoise(
        ctx,
        unets[0],
        model.schedule,
        texts[0],
        latents,
        texts[1],
        None,
        unets[1],
        sampler="ddim",
        steps=3,
        guidance=4.0,
        seed=7,
    ).data
    solver = make_scheduler("ddim", model.schedule)
    solver.set_timesteps(3)
    sample = torch.cat([torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7 + i)) for i in range(2)])
    with torch.no_grad():
        for t in solver.timesteps:
            times = Timesteps(t.expand(2))
            sides = [predict(unet, NoisyLatents(sample), times, text) for unet, text in zip(unets, texts, strict=True)]
            sample = solver.step(guide(*sides, scale=4.0).data, t, sample).prev_sample
    torch.testing.assert_close(found, sample, rtol=1e-4, atol=1e-4)
    swapped = denoise(
        ctx,
        unets[1],
        model.schedule,
        texts[0],
        latents,
        texts[1],
        None,
        unets[0],
        sampler="ddim",
        steps=3,
        guidance=4.0,
        seed=7,
    ).data
    assert (found - swapped).abs().max() > 1e-2


def test_below_zero_it_leads_away_from_the_positive_prediction() -> None:
    """ESD's target: without − η · (with − without)."""
    positive, negative = (torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    away = guide(Prediction(positive), Prediction(negative), scale=-1.5).data
    assert torch.equal(away, negative + -1.5 * (positive - negative))
    before = (positive - negative).square().sum()
    assert (positive - away).square().sum() > before
    g = hcpgraph.Graph()
    g.add("diffusion.guide", "guide", scale=-1.0)
    assert not [problem for problem in hcpgraph.validate(g) if problem.code == "E_SETTING"]
