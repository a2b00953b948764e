"""Adapters against PEFT, LyCORIS and references of a few lines: the same weights give the same outputs and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hcpgraph_nodes.plugins.blocks.adapter import AdapterBlock, operate
from hcpgraph_nodes.plugins.blocks.kinds import BLOCKS
from hcpgraph_nodes.plugins.blocks.lora import LoraBlock
from hcpgraph_nodes.plugins.blocks.shapes import factors
from torch import nn

from .adapter_layers import Layers, again, attached, layers, made, run, x_of
from .plugin_page import random

NAMES = ("linear", "plain", "conv", "point")
PEFT_LORA = {"lora_A": "lora_down.weight", "lora_B": "lora_up.weight", "lora_magnitude_vector": "dora_scale"}


def peft_model(config: Any) -> nn.Module:
    from peft import get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = get_peft_model(Layers(), config)
    with torch.no_grad():
        for number, (name, parameter) in enumerate(model.named_parameters()):
            if "magnitude" in name:
                parameter.mul_(1 + random(*parameter.shape, seed=number).tanh() / 2)
            elif parameter.requires_grad:
                parameter.copy_(random(*parameter.shape, seed=number) * 0.4)
    return model.base_model.model


def peft_tensors(module: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """A layer's adapter weights under LyCORIS' suffixes."""
    found = {}
    for key, parameter in module.get_submodule(name).named_parameters():
        if "base_layer" not in key:
            found[PEFT_LORA.get(key.partition(".")[0], key.partition(".")[0])] = parameter
    return found


def compare(kind: str, module: nn.Module, name: str, alpha: float) -> AdapterBlock:
    """Output and gradients of an adapter of PEFT and of ours with its weights."""
    model, theirs = layers(), peft_tensors(module, name)
    ours = BLOCKS[kind].from_tensors(
        model.root.layers[name],
        {key: value.detach().flatten() if key == "dora_scale" else value.detach() for key, value in theirs.items()}
        | {"alpha": torch.tensor(alpha)},
        strength=1.0,
        path=name,
    )
    x, y = x_of(name).requires_grad_(), x_of(name).requires_grad_()
    found, wanted = run(attached(model, name, ours), name, x), module(name, y)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert (found - run(model, name)).abs().max() > 0.05
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(x.grad, y.grad, rtol=1e-4, atol=1e-4)
    tensors = ours.tensors()
    assert tensors.keys() - {"alpha"} == theirs.keys()
    for key, value in theirs.items():
        assert tensors[key].grad.abs().max() > 0
        if "hada_t1" in theirs and key in ("hada_w1_a", "hada_w2_a"):
            continue  # PEFT 0.21.2 contracts the other product's core for these; LyCORIS 4 corrected it
        assert torch.allclose(tensors[key].grad.flatten(), value.grad.flatten(), rtol=1e-4, atol=2e-4), key
    return ours


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("rslora", [False, True])
def test_lora_and_dora_equal_pefts(dora: bool, rslora: bool) -> None:
    from peft import LoraConfig

    module = peft_model(LoraConfig(r=2, lora_alpha=3, target_modules=list(NAMES), use_dora=dora, use_rslora=rslora))
    for name in NAMES:
        block = compare("lora", module, name, 3 * 2**0.5 if rslora else 3.0)
        assert (block.dora_scale is not None) == dora


@pytest.mark.parametrize("tucker", [False, True])
def test_loha_equals_pefts(tucker: bool) -> None:
    from peft import LoHaConfig

    module = peft_model(LoHaConfig(r=2, alpha=3, target_modules=list(NAMES), use_effective_conv2d=tucker))
    for name in NAMES:
        assert compare("loha", module, name, 3.0).tucker == (tucker and name == "conv")


@pytest.mark.parametrize(("both", "tucker", "factor"), [(False, False, -1), (True, False, -1), (False, True, 2)])
def test_lokr_equals_pefts(both: bool, tucker: bool, factor: int) -> None:
    from peft import LoKrConfig

    module = peft_model(
        LoKrConfig(
            r=1,
            alpha=3,
            target_modules=list(NAMES),
            decompose_both=both,
            decompose_factor=factor,
            use_effective_conv2d=tucker,
        )
    )
    blocks = {name: compare("lokr", module, name, 3.0) for name in NAMES}
    assert all(block.split[1] for block in blocks.values())
    assert blocks["linear"].split[0] == both and blocks["conv"].tucker == tucker


def test_the_start_at_the_singular_values_is_pissas() -> None:
    """PEFT changes the layer's own weight instead: the sum, and all gradients, are the same."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=3, lora_alpha=6, target_modules=["linear"], init_lora_weights="pissa")
    module = get_peft_model(Layers(), config).base_model.model
    model = layers()
    layer = model.root.layers["linear"]
    ours = LoraBlock(layer, rank=3, alpha=6.0).initialise_svd(layer.weight, torch.Generator().manual_seed(0))
    theirs = peft_tensors(module, "linear")
    assert torch.allclose(ours.down.weight, theirs["lora_down.weight"], atol=1e-6)
    assert torch.allclose(ours.up.weight, theirs["lora_up.weight"], atol=1e-6)
    found, wanted = run(attached(model, "linear", ours), "linear"), module("linear", x_of("linear"))
    assert torch.allclose(found, wanted, atol=1e-5)
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(ours.down.weight.grad, theirs["lora_down.weight"].grad, rtol=1e-4, atol=1e-4)
    assert torch.allclose(ours.up.weight.grad, theirs["lora_up.weight"].grad, rtol=1e-4, atol=1e-4)


def lycoris_module(kind: str, layer: nn.Module, **options: Any) -> Any:
    pytest.importorskip("lycoris", reason="LyCORIS is not installed")
    from lycoris.modules.full import FullModule
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    classes = {"lora": LoConModule, "loha": LohaModule, "lokr": LokrModule, "full": FullModule}
    module = classes[kind]("x", layer, lora_dim=options.pop("rank", 2), alpha=3.0, bypass_mode=False, **options)
    with torch.no_grad():
        for number, (name, parameter) in enumerate(module.named_parameters()):
            if name != "dora_scale":
                parameter.copy_(random(*parameter.shape, seed=number) * 0.4)
    return module


@pytest.mark.parametrize("name", ["linear", "plain", "conv", "point", "grouped"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lora", {}),
        ("lora", {"use_tucker": True}),
        ("lora", {"weight_decompose": True}),
        ("lora", {"weight_decompose": True, "wd_on_out": False}),
        ("lora", {"rs_lora": True}),
        ("loha", {}),
        ("loha", {"use_tucker": True}),
        ("loha", {"weight_decompose": True}),
        ("lokr", {"rank": 1}),
        ("lokr", {"rank": 1, "use_tucker": True, "factor": 2}),
        ("lokr", {"rank": 2, "use_tucker": True, "factor": 1}),
        ("lokr", {"rank": 1, "decompose_both": True}),
        ("lokr", {"rank": 1, "weight_decompose": True, "wd_on_out": False}),
        ("lokr", {"rank": 100}),
        ("lokr", {"full_matrix": True}),
        ("lokr", {"rank": 1, "unbalanced_factorization": True}),
        ("full", {}),
    ],
)
def test_weights_of_lycoris_change_a_layer_as_there(kind: str, options: dict[str, Any], name: str) -> None:
    model = layers()
    layer = model.root.layers[name]
    module = lycoris_module(kind, layer, **options)
    if kind == "full":
        tensors = {key.replace("weight", "diff").replace("bias", "diff_b"): p for key, p in module.named_parameters()}
    else:
        tensors = module.custom_state_dict()
    block = BLOCKS[kind].from_tensors(layer, tensors, strength=1.0, path=name)
    with torch.no_grad():
        found = run(attached(model, name, block), name)
        wanted = module.forward(x_of(name))
    assert torch.allclose(found, wanted, atol=1e-5) and (found - run(model, name)).abs().max() > 0.05
    kept = block.tensors()
    assert kept.keys() == tensors.keys()
    assert all(torch.equal(value.detach().squeeze(), tensors[key].detach().squeeze()) for key, value in kept.items())


def test_sizes_of_factors_are_those_of_lycoris() -> None:
    pytest.importorskip("lycoris", reason="LyCORIS is not installed")
    from lycoris.functional.general import factorization

    for size in (1, 2, 3, 6, 12, 13, 64, 127, 128, 250, 320, 360, 512, 640, 768, 1024, 1280, 2048, 5120):
        for factor in (None, 1, 2, 3, 4, 7, 8, 16, 100, 10_000):
            assert factors(size, factor) == factorization(size, -1 if factor is None else factor)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
@pytest.mark.parametrize("axis", [0, 1])
def test_magnitudes_along_either_axis_against_the_paper(kind: str, axis: int) -> None:
    """W' = m (W + ΔW) / ‖W + ΔW‖ with a norm that has no gradient."""
    model = layers()
    for name in ("linear", "conv"):
        layer = model.root.layers[name]
        block = made(kind, name, model)
        shape = [1] * layer.weight.dim()
        shape[axis] = layer.weight.shape[axis]
        scale = random(*shape, seed=5).abs() + 0.5
        tensors = {key: value.detach() for key, value in block.tensors().items()} | {"dora_scale": scale}
        block = type(block).from_tensors(layer, tensors, strength=0.6, path="x")
        given = tuple(block.parameters())
        found = run(attached(model, name, block), name)
        whole = layer.weight + block.change()
        others = [dim for dim in range(whole.dim()) if dim != axis]
        changed = block.dora_scale * whole / whole.square().sum(others, keepdim=True).sqrt().detach()
        wanted = operate(layer, x_of(name), layer.weight + 0.6 * (changed - layer.weight), layer.bias)
        assert torch.allclose(found, wanted, atol=1e-5)
        ours, theirs = (torch.autograd.grad(out.square().sum(), given) for out in (found, wanted))
        for one, other in zip(ours, theirs, strict=True):
            assert one.abs().max() > 0 and torch.allclose(one, other, rtol=1e-3, atol=1e-3)
        assert all(torch.equal(value, tensors[key]) for key, value in again(block, layer).tensors().items())


def test_grouped_convolutions() -> None:
    """Every group of outputs sees its own inputs through the same filters."""
    model = layers()
    block = made("lora", "grouped", model)
    x, layer = x_of("grouped"), model.root.layers["grouped"]
    parts = []
    for group in range(2):
        inner = nn.functional.conv2d(x[:, 3 * group : 3 * group + 3], block.down.weight, padding=1)
        parts.append(nn.functional.conv2d(inner, block.up.weight[4 * group : 4 * group + 4]))
    found = run(attached(model, "grouped", block), "grouped")
    assert torch.allclose(found, layer(x) + 1.5 * torch.cat(parts, 1), atol=1e-5)
