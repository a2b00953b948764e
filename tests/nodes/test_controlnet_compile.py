"""ControlNets behind model.compile: one graph for all steps, gradients as in eager."""

from __future__ import annotations

import gc
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.compiled import Compiling
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.sample.progress import Progress
from torch._dynamo.testing import CompileCounterWithBackend

from hcpgraph import GraphError
from hcpgraph.testing import context

from .control_sets import NOISY, TEXT, TIME, control, pictures, random
from .test_handles_ddp import SMALL

TARGET = random(2, 4, 8, 8, seed=2)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def run(handle) -> torch.Tensor:
    return predict(handle, NOISY, TIME, TEXT).data


@pytest.mark.slow
def test_steps_of_training_share_a_graph(workspace: Path) -> None:
    """With gradient checkpointing in both, and a ControlNet whose own wire is compiled too."""
    denoiser = new_model(context(workspace), **{**SMALL, "text_width": 32}, checkpointing=True).denoiser
    net = trainable(context(workspace), control(workspace, denoiser, channels=[16], checkpointing=True)).model
    counter = CompileCounterWithBackend("aot_eager")
    module = net.root.module
    compiled = (replace(denoiser, compiling=Compiling(counter)), replace(net, compiling=Compiling("aot_eager")))
    for step in range(2):
        found = []
        for model, led in ((denoiser, net), compiled):
            with_picture = apply_controlnet(model, led, pictures(2, 8, 8, seed=step))
            (run(with_picture) - TARGET).square().mean().backward()
            found.append([parameter.grad.clone() for parameter in module.parameters()])
            module.zero_grad()
        for own, other in zip(*found, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)
            assert own.any()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.1)
        assert counter.frame_count == 1


@pytest.mark.slow
def test_sampling_needs_a_graph_with_and_one_without_it(workspace: Path) -> None:
    denoiser = load_model(context(workspace), path="models:tiny").denoiser
    net = control(workspace, denoiser)
    counter = CompileCounterWithBackend("eager")
    compiled = replace(denoiser, compiling=Compiling(counter))
    plain, led = (apply_controlnet(each, net, pictures(2), start=0.25, end=0.75) for each in (denoiser, compiled))
    with torch.no_grad():
        for step in range(4):
            progress = Progress(step / 4, (step + 1) / 4)
            expected, found = (run(each.with_inputs(progress=progress)) for each in (plain, led))
            assert torch.equal(found, expected)
            assert torch.equal(expected, run(denoiser)) is (step not in (1, 2))
    assert counter.frame_count == 2


@pytest.mark.slow
def test_wrong_gradients_of_the_controlnet_end_the_training(workspace: Path) -> None:
    class Changed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, gradient):
            return 1.1 * gradient

    def backend(graph, _):
        return lambda *args: [Changed.apply(value) if value.requires_grad else value for value in graph(*args)]

    denoiser = load_model(context(workspace), path="models:tiny").denoiser
    net = trainable(context(workspace), control(workspace, denoiser), layers=["controlnet_mid_block"]).model
    with pytest.raises(GraphError) as caught:
        run(apply_controlnet(replace(denoiser, compiling=Compiling(backend)), net, pictures(2)))
    assert caught.value.problem.code == "E_COMPILE_GRADIENTS" and "controlnet_mid_block" in caught.value.problem.message


@pytest.mark.slow
def test_what_was_compiled_goes_with_the_controlnet(workspace: Path) -> None:
    base = new_model(context(workspace), **{**SMALL, "text_width": 32}).denoiser
    compiled = replace(base, compiling=Compiling("eager"))
    with torch.no_grad():
        for seed in range(2):
            net = control(workspace, base, seed=seed, channels=[16])
            for _ in range(2):
                found = run(apply_controlnet(compiled, net, pictures(2, 8, 8)))
            assert len(base.root.compiled) == 1
            torch.testing.assert_close(found, run(apply_controlnet(base, net, pictures(2, 8, 8))))
            del net
            gc.collect()
    assert base.root.tapped == ()
