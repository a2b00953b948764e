"""Handles: one set of weights, many stacks of plugins."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.guide import guide
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Target, Timesteps

from hcpgraph import GraphError
from hcpgraph.testing import context

LAYERS = [r"re:.*attn[12]\.to_", r"re:.*\.ff\.net", r"re:.*resnets\.\d+\.conv1"]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))


def run(handle) -> torch.Tensor:
    return predict(handle, NOISY, TIME, TEXT).data


def filled(workspace: Path, handle, seed: int, **settings):
    """A LoRA whose weights are not the identity."""
    result = lora(context(workspace, node=f"lora{seed}"), handle, layers=LAYERS, rank=3, alpha=1.5, **settings)
    with torch.no_grad():
        for index, parameter in enumerate(result.adapter.plugin.parameters()):
            parameter.copy_(0.2 * random(*parameter.shape, seed=1000 * seed + index))
    return result


@pytest.fixture
def denoiser(workspace: Path):
    return load_model(context(workspace), path="models:tiny").denoiser


@pytest.fixture
def unet(workspace: Path):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(workspace / "models/tiny/unet", local_files_only=True)


def test_base_is_bit_identical_with_three_loras_attached(workspace: Path, denoiser, unet) -> None:
    with torch.no_grad():
        reference = unet(NOISY.data, TIME.data, TEXT.data).sample
    plugged = [filled(workspace, denoiser, seed).model for seed in (1, 2, 3)]
    stacked = plugged[0].attach(plugged[1].stack[0]).attach(plugged[2].stack[0])
    outputs = [run(handle) for handle in (*plugged, stacked)]
    assert torch.equal(run(denoiser), reference)
    assert all(not torch.equal(output, reference) for output in outputs)
    assert torch.equal(run(stacked.without(plugged[1].stack[0]).without(plugged[2].stack[0])), outputs[0])


def test_the_base_keeps_its_names_classes_and_weights(workspace: Path, denoiser, unet) -> None:
    result = filled(workspace, denoiser, 1)
    run(result.model)
    module = denoiser.root.module
    assert [name for name, _ in module.named_modules()] == [name for name, _ in unet.named_modules()]
    assert [type(m) for m in module.modules()] == [type(m) for m in unet.modules()]
    own, reference = module.state_dict(), unet.state_dict()
    assert own.keys() == reference.keys()
    assert all(torch.equal(own[key], reference[key]) for key in own)
    assert result.model.modules() == (module, result.adapter.plugin)


def test_a_stack_adds_its_branches(workspace: Path, denoiser) -> None:
    """One linear layer: base + sum of scale · up(down(x))."""
    path = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    first = filled(workspace, denoiser, 1)
    second = filled(workspace, first.model, 2)
    layer = denoiser.root.layers[path]
    x = random(5, 16)
    with second.model.active():
        output = layer(x)
    expected = layer(x)
    for plugin in second.model.stack:
        block = plugin.blocks[path]
        expected = expected + x @ block.down.weight.T @ block.up.weight.T * (1.5 / 3)
    assert torch.allclose(output, expected, atol=1e-6)


def test_gradients_reach_only_the_active_plugins(workspace: Path, denoiser) -> None:
    first, second, third = (filled(workspace, denoiser, seed) for seed in (1, 2, 3))
    positive, negative = first.model, second.model
    guided = guide(predict(positive, NOISY, TIME, TEXT), predict(negative, NOISY, TIME, TEXT), scale=3.0)
    mse(guided, Target(random(2, 4, 8, 8, seed=2))).data.mean().backward()
    for adapted in (first, second):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in adapted.adapter.plugin.parameters())
    assert all(p.grad is None for p in third.adapter.plugin.parameters())
    assert all(p.grad is None for p in denoiser.root.module.parameters())


def test_nested_activation_is_restored_also_after_an_error(workspace: Path, denoiser) -> None:
    first, second = filled(workspace, denoiser, 1).model, filled(workspace, denoiser, 2).model
    with first.active() as module:
        outer = module(NOISY.data, TIME.data, TEXT.data).sample
        assert torch.equal(run(denoiser), run(denoiser))
        with pytest.raises(RuntimeError), second.active() as inner:
            inner(NOISY.data, TIME.data, TEXT.data[..., :3])
        assert torch.equal(module(NOISY.data, TIME.data, TEXT.data).sample, outer)
    assert denoiser.root.active is None


def test_a_dropped_plugin_frees_its_taps(workspace: Path, denoiser) -> None:
    keep = lora(context(workspace, node="keep"), denoiser, layers=["re:.*attn1"], rank=1)
    drop = filled(workspace, denoiser, 1)
    tapped = set(denoiser.root.tapped)
    dead = weakref.ref(drop.adapter.plugin)
    run(drop.model)
    del drop
    gc.collect()
    assert dead() is None
    assert set(denoiser.root.tapped) == set(keep.adapter.plugin.blocks) < tapped
    kept = denoiser.root.layers
    assert {path for path, layer in kept.items() if "forward" in vars(layer)} == set(denoiser.root.tapped)


def test_a_deep_copy_of_the_module_calls_its_own_layers(workspace: Path, denoiser) -> None:
    result = filled(workspace, denoiser, 1)
    twin = copy.deepcopy(denoiser.root.module)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        output = twin(NOISY.data, TIME.data, TEXT.data).sample
    assert output.abs().max() == 0
    assert run(result.model).abs().max() > 0


def test_attaching_twice_is_an_error(workspace: Path, denoiser) -> None:
    result = filled(workspace, denoiser, 1)
    with pytest.raises(GraphError) as caught:
        result.model.attach(result.adapter.plugin)
    assert caught.value.problem.code == "E_ATTACHED"


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_checkpointing_gives_the_same_gradients_bit_for_bit(workspace: Path, dropout: float) -> None:
    gradients = []
    for checkpointing in (False, True):
        base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
        assert base.root.module.is_gradient_checkpointing == checkpointing
        one, two = (filled(workspace, base, seed, dropout=dropout) for seed in (1, 2))
        torch.manual_seed(5)
        guided = guide(predict(one.model, NOISY, TIME, TEXT), predict(two.model, NOISY, TIME, TEXT), scale=3.0)
        mse(guided, Target(random(2, 4, 8, 8, seed=2))).data.mean().backward()
        parameters = [*one.adapter.plugin.parameters(), *two.adapter.plugin.parameters()]
        gradients.append([p.grad for p in parameters])
        assert base.root.active is None
    assert len(gradients[0]) > 50
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_checkpointing_saves_activations(workspace: Path) -> None:
    kept = []
    for checkpointing in (False, True):
        base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
        handle = filled(workspace, base, 1).model
        size = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal size
            size += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            run(handle)
        kept.append(size)
    assert kept[1] < 0.7 * kept[0]
