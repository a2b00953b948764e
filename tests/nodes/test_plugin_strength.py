"""One plugin at several strengths: weights that are shared, gradients of both sides, everything that reads a stack."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.bundle import Model
from hcpgraph_nodes.model.compiled import Compiling
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.attach import Adapted
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.merge import merge
from hcpgraph_nodes.plugins.strength import strength
from hcpgraph_nodes.plugins.without import without
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps
from hcpgraph_nodes.words.new import new as new_word
from torch import Tensor

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

from ..graphs.hand_written import drawn
from .test_handles import filled as full
from .test_handles import run

FACTORS = (-1.0, 0.5, 2.0, 0.0)


@pytest.fixture
def model(workspace: Path) -> Any:
    return load_model(context(workspace), path="models:tiny")


def set_to(made: Adapted[Any], factor: float) -> Tensor:
    """What the plugin gives if its own blocks have the strength: the reference."""
    made.adapter.plugin.set_hyper_params(strength=factor)
    try:
        return run(made.model)
    finally:
        made.adapter.plugin.set_hyper_params(strength=1.0)


@pytest.mark.parametrize("settings", [{}, {"decompose": True}, {"bias": True}], ids=str)
def test_it_is_the_plugin_with_that_strength(workspace: Path, model: Any, settings: dict[str, Any]) -> None:
    made = full(workspace, model.denoiser, 1, **settings)
    for factor in FACTORS:
        other = strength(made.model, made.adapter, strength=factor)
        with torch.no_grad():
            assert torch.equal(run(other), set_to(made, factor))
            assert torch.equal(run(made.model), set_to(made, 1.0)), "the wire it came on keeps its own"
    twice = strength(strength(made.model, made.adapter, strength=-2.0), made.adapter, strength=0.25)
    with torch.no_grad():
        assert torch.equal(run(twice), set_to(made, -0.5))
        assert not torch.equal(run(twice), run(made.model))


def test_only_the_one_plugin_and_in_its_place(workspace: Path, model: Any) -> None:
    one = full(workspace, model.denoiser, 1)
    two = full(workspace, one.model, 2)
    with torch.no_grad():
        found = run(strength(two.model, one.adapter, strength=-1.0))
        one.adapter.plugin.set_hyper_params(strength=-1.0)
        assert torch.equal(found, run(two.model))
        one.adapter.plugin.set_hyper_params(strength=1.0)
        assert torch.allclose(
            run(strength(two.model, one.adapter, strength=0.0)),
            run(full(workspace, model.denoiser, 2).model),
            atol=1e-5,
        )
        assert torch.equal(
            run(without(strength(two.model, one.adapter, strength=3.0), one.adapter)),
            run(without(two.model, one.adapter)),
        )


@pytest.mark.parametrize("checkpointing", [False, True])
def test_both_sides_of_a_slider_give_their_gradients(workspace: Path, checkpointing: bool) -> None:
    base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
    made = full(workspace, base, 1)
    weights = [weight.requires_grad_() for weight in made.adapter.plugin.parameters()]
    other = strength(made.model, made.adapter, strength=-1.0)
    both = run(made.model).square().mean() + 3 * run(other).square().mean()
    ours = torch.autograd.grad(both, weights)
    alone = torch.autograd.grad(run(made.model).square().mean(), weights)
    made.adapter.plugin.set_hyper_params(strength=-1.0)  # also while backward computes parts again
    theirs = torch.autograd.grad(3 * run(made.model).square().mean(), weights)
    for one, first, second in zip(ours, alone, theirs, strict=True):
        assert torch.allclose(one, first + second, rtol=1e-4, atol=1e-7)
    assert any(not torch.allclose(one, first, rtol=1e-2) for one, first in zip(ours, alone, strict=True))


def test_training_and_changes_of_weights_reach_it(workspace: Path, model: Any) -> None:
    made = full(workspace, model.denoiser, 1, dropout=0.5)
    other = strength(made.model, made.adapter, strength=-1.0)
    (plugin,) = other.stack
    assert {id(p) for p in plugin.parameters()} == {id(p) for p in made.adapter.plugin.parameters()}
    assert plugin.trainable and not plugin.training
    plugin.train()
    assert not made.adapter.plugin.training
    with torch.no_grad():
        before = run(other)
        next(iter(made.adapter.plugin.parameters())).mul_(2)
        torch.manual_seed(0)
        assert not torch.allclose(run(other), before)
    made.adapter.plugin.train()
    assert strength(made.model, made.adapter).stack[0].training


def test_what_reads_a_stack_reads_the_strength(workspace: Path, model: Any) -> None:
    made = full(workspace, model.denoiser, 1)
    other = strength(made.model, made.adapter, strength=-0.5)
    with torch.no_grad():
        expected = run(other)
        assert torch.allclose(run(merge(other)), expected, atol=1e-4)
        copied = other.copy({})
        assert torch.equal(run(copied), expected)
    with pytest.raises(GraphError) as caught:
        without(copied, made.adapter)
    assert caught.value.problem.code == "E_NOT_ATTACHED", "a copy has plugins of its own"


def test_taps_go_with_the_last_of_them(workspace: Path, model: Any) -> None:
    made = full(workspace, model.denoiser, 1)
    tapped = set(model.denoiser.root.tapped)
    other = strength(made.model, made.adapter)
    gone = weakref.ref(other.stack[0])
    del other
    gc.collect()
    assert gone() is None and set(model.denoiser.root.tapped) == tapped
    del made
    gc.collect()
    assert not model.denoiser.root.tapped


def test_a_bundle_and_what_has_no_strength(workspace: Path, model: Any) -> None:
    bundle = Model(denoiser=model.denoiser, text_encoder=model.text_encoder, vae=model.vae, process=model.schedule)
    made = lora(context(workspace), bundle, layers=["@attention", r"text_encoder:re:.*q_proj"], rank=2)
    turned = strength(made.model, made.adapter, strength=-1.0)
    for name in ("denoiser", "text_encoder"):
        blocks = turned.part(name).stack[0].blocks.values()
        assert blocks and all(block.strength == -1.0 for block in blocks)
        assert all(block.strength == 1.0 for block in made.model.part(name).stack[0].blocks.values())
    assert turned.vae is bundle.vae
    with pytest.raises(GraphError) as caught:
        strength(model.denoiser, made.adapter)
    assert caught.value.problem.code == "E_NOT_ATTACHED"
    word = new_word(context(workspace), model.text_encoder, name="<w>", init="cat")
    with pytest.raises(GraphError) as caught:
        word.model.stack[0].scaled(2.0)
    assert caught.value.problem.code == "E_HYPER_PARAM"


@pytest.mark.slow
def test_compiled_strengths_are_told_apart(workspace: Path, model: Any) -> None:
    torch._dynamo.reset()
    made = full(workspace, model.denoiser, 1)
    handle = replace(made.model, compiling=Compiling("eager"))
    with torch.no_grad():
        for factor in (1.0, -1.0, 0.5, -1.0, 1.0):
            found = run(strength(handle, made.adapter, strength=factor))
            assert torch.allclose(found, set_to(made, factor), atol=1e-5)
        assert len(model.denoiser.root.compiled) == 1
    torch._dynamo.reset()


def slider(steps: int, points: list[list[float]] | None = None) -> hcpgraph.Graph:
    """The step of `drawn` with a LoRA on both sides, at 1 and at −1/2, or at what points say of the step."""
    g = drawn(steps)
    g.remove("whole")
    g.add("plugin.lora", "lora", rank=2, layers=["@attention"])
    g.add("plugin.strength", "turned", inside="train", strength=-0.5)
    g.add("flow.after", "after")
    g.add("diffusion.predict", "negative", inside="train")
    g.add("loss.mse", "negative_mse", inside="train")
    g.add("loss.mean", "negative_mean", inside="train")
    edges = dict(g.edges)
    same = {port: edges[f"predict.{port}"] for port in ("noisy", "timesteps", "conditioning")}
    wires = [("new.denoiser", "lora.model"), ("lora.model", "turned.model"), ("lora.adapter", "turned.adapter")]
    wires += [("lora.model", "predict.denoiser"), ("turned.out", "negative.denoiser"), ("lora.params", "adamw.params")]
    wires += [(source, f"negative.{port}") for port, source in same.items()]
    wires += [("negative.out", "negative_mse.prediction"), (edges["mse.target"], "negative_mse.target")]
    wires += [
        ("negative_mse.out", "negative_mean.loss"),
        ("lora.adapter", "after.value"),
        ("train.trained", "after.trained"),
    ]
    for source, target in wires:
        g.connect(source, target)
    g.connect("negative_mean.out", "train.loss")
    if points is not None:
        g.add("value.at_step", "follows", inside="train", points=points)
        g.connect("train.update", "follows.step")
        g.connect("follows.out", "turned.strength")
    return g


@pytest.mark.slow
def test_a_drawn_slider_trains_both_sides_and_resumes(tmp_path: Path) -> None:
    def trained(steps: int, folder: Path, points: list[list[float]] | None = None) -> tuple[list[Tensor], list[float]]:
        g = slider(steps, points)
        assert [p for p in hcpgraph.validate(g, workspace=folder) if p.severity == "error"] == []
        result = hcpgraph.run(g, targets=["after", "train"], workspace=folder)
        assert result.status == "done", result.failed
        adapter = result.outputs["after.out"]
        losses = [value for _, value in result.outputs["train.losses"].series["loss"]]
        return [value.clone() for value in adapter.plugin.state().values()], losses

    whole, losses = trained(3, tmp_path / "whole")
    assert whole[-1].any() and trained(3, tmp_path / "wired", [[0, -0.5]])[1] == losses
    _, moving = trained(3, tmp_path / "moving", [[0, -0.5], [1, 0.5]])
    assert moving[0] == losses[0] and moving[1:] != losses[1:], "strengths follow the step"
    trained(2, tmp_path / "parts")
    after, ended = trained(3, tmp_path / "parts")
    assert ended == losses and all(torch.equal(one, other) for one, other in zip(whole, after, strict=True))


def test_predict_is_the_node_that_sees_it(workspace: Path, model: Any) -> None:
    """Strengths of 1 and −1 of one small LoRA lie on both sides of the bare model."""
    made = full(workspace, model.denoiser, 1)
    with torch.no_grad():
        for weight in made.adapter.plugin.parameters():
            weight.mul_(0.03)
    noisy, times = NoisyLatents(torch.ones(1, 4, 8, 8)), Timesteps(torch.tensor([500]))
    text = Conditioning.of(torch.ones(1, 77, 32))
    with torch.no_grad():
        bare = predict(model.denoiser, noisy, times, text).data
        up = predict(made.model, noisy, times, text).data - bare
        down = predict(strength(made.model, made.adapter, strength=-1.0), noisy, times, text).data - bare
    assert up.abs().max() > 0 and torch.allclose(up, -down, atol=0.02 * float(up.abs().max()))
