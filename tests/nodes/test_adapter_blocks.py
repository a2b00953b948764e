"""What holds for every kind of adapter at every form of layer."""

from __future__ import annotations

import pytest
import torch
from hcpgraph_nodes.plugins.base import Plugin
from hcpgraph_nodes.plugins.blocks.adapter import operate
from hcpgraph_nodes.plugins.blocks.full import FullBlock
from hcpgraph_nodes.plugins.blocks.lora import LoraBlock
from torch import nn

from hcpgraph import GraphError

from .adapter_layers import INPUTS, KINDS, again, attached, layers, made, run, x_of
from .plugin_page import random

ALL = [(kind, name) for kind in KINDS for name in INPUTS]
STARTS = [kind for kind in KINDS if "tucker" not in kind]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_delta_is_the_change_of_the_output(kind: str, name: str) -> None:
    model = layers()
    block = made(kind, name, model, strength=0.7, bias=True)
    layer = model.root.layers[name]
    base, changed = run(model, name), run(attached(model, name, block), name)
    reference = operate(layer, x_of(name), block.delta(layer.weight), block.delta_bias())
    assert (changed - base).abs().max() > 0.05
    assert torch.allclose(changed - base, reference, atol=3e-6)
    assert block.delta(layer.weight).shape == layer.weight.shape
    block.set_hyper_params(strength=0.0)
    assert torch.allclose(run(attached(model, name, block), name), base, atol=1e-6)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_gradients_are_those_of_the_changed_weight_and_reach_the_adapter_only(kind: str, name: str) -> None:
    model = layers()
    block = made(kind, name, model, bias=True, strength=0.7)
    layer = model.root.layers[name]
    x = x_of(name).requires_grad_()
    given = (x, *block.parameters())
    found = torch.autograd.grad(run(attached(model, name, block), name, x).square().sum(), given)
    assert layer.weight.grad is None and not layer.weight.requires_grad
    weight, bias = layer.weight, 0.7 * block.bias + (0 if layer.bias is None else layer.bias)
    changed = operate(layer, x, weight + block._difference(weight), bias)
    wanted = torch.autograd.grad(changed.square().sum(), given)
    assert len(found) == len(list(block.named_parameters())) + 1
    for one, other in zip(found, wanted, strict=True):
        assert one.abs().max() > 0 and torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("kind", STARTS)
def test_new_ones_are_the_identity_bit_for_bit_also_in_half_precision(kind: str, name: str) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        model = layers(dtype)
        base = run(model, name, x_of(name).to(dtype))
        block = KINDS[kind](model.root.layers[name], bias=True)
        if block.kind != "full":
            block.initialise(torch.Generator().manual_seed(1))
            assert sum(parameter.abs().max() > 0 for parameter in block.parameters()) >= 1
        handle = attached(model, name, block)
        assert torch.equal(run(handle, name, x_of(name).to(dtype)), base)
        block.train()
        assert torch.equal(run(handle, name, x_of(name).to(dtype)), base)
        with torch.no_grad():
            assert torch.equal(run(handle, name, x_of(name).to(dtype)), base)
        assert torch.equal(run(handle.without(handle.stack[0]), name, x_of(name).to(dtype)), base)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_file_keeps_every_bit(kind: str, name: str) -> None:
    model = layers()
    block = made(kind, name, model, bias=True, strength=0.5)
    copy = again(block, model.root.layers[name])
    first, second = block.tensors(), copy.tensors()
    assert first.keys() == second.keys() and "diff_b" in first and ("alpha" in first) == (kind != "full")
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert torch.equal(run(attached(model, name, copy), name), run(attached(model, name, block), name))
    assert all(p.dtype is torch.float32 for p in copy.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_several_add_up_each_with_the_change_it_makes_alone(kind: str) -> None:
    model = layers()
    for name in ("linear", "conv"):
        blocks = [made(kind, name, model, seed=1), made("loha dora", name, model, seed=2), made("lora", name, model)]
        base = run(model, name)
        alone = [run(attached(model, name, block), name) - base for block in blocks]
        together = run(attached(model, name, *blocks), name)
        assert torch.allclose(together, base + sum(alone), atol=1e-5)
        assert torch.equal(run(model, name), base)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "lora dora"])
def test_dropout_is_of_the_branch_of_its_own_plugin(kind: str) -> None:
    """Where it drops all of the branch's input the layer gives what the other plugins and its own weights give."""
    model = layers()
    for name in ("linear", "conv"):
        block = made(kind, name, model, dropout=0.999999)
        other = made("lora", name, model, seed=3)
        both = attached(model, name, block, other)
        block.train()
        dropped = run(both, name)
        without = run(attached(model, name, other), name)
        assert torch.allclose(dropped, without, atol=1e-5)
        block.eval()
        assert (run(both, name) - without).abs().max() > 0.05


def test_dropout_of_a_decomposed_lora_leaves_the_magnitude_of_the_layers_own_part() -> None:
    model = layers()
    block = made("lora dora", "linear", model, dropout=0.999999)
    layer, x = model.root.layers["linear"], x_of("linear")
    block.train()
    handle = attached(model, "linear", block)
    block.train()
    whole = layer.weight + 1.5 * block.up.weight @ block.down.weight
    share = block.dora_scale / whole.norm(dim=1, keepdim=True)
    assert torch.allclose(run(handle, "linear"), nn.functional.linear(x, layer.weight * share, layer.bias), atol=1e-5)


def test_dropout_keeps_the_expectation() -> None:
    model = layers()
    block = made("lora", "linear", model, dropout=0.5)
    torch.manual_seed(0)
    handle = attached(model, "linear", block)
    block.train()
    mean = torch.stack([run(handle, "linear") for _ in range(400)]).mean(0)
    block.eval()
    assert (mean - run(handle, "linear")).abs().max() < 0.35 and not torch.equal(mean, run(handle, "linear"))


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_weights_in_half_precision(kind: str) -> None:
    """The changed layer is that of the float32 model up to the precision."""
    exact, half = layers(), layers(torch.bfloat16)
    for name in ("linear", "conv"):
        block = made(kind, name, exact, bias=True)
        copy = again(block, half.root.layers[name])
        wanted = run(attached(exact, name, block), name)
        found = run(attached(half, name, copy), name, x_of(name).bfloat16())
        assert found.dtype is torch.bfloat16
        assert (found.float() - wanted).abs().max() < 0.04 * wanted.abs().max()
        found.float().square().sum().backward()
        assert all(p.grad is not None and p.grad.dtype is torch.float32 for p in copy.parameters())


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize(
    ("dtype", "autocast"), [(torch.bfloat16, True), (torch.bfloat16, False), (torch.float32, True)]
)
def test_changes_below_the_precision_of_the_weights_are_not_lost(kind: str, dtype: torch.dtype, autocast: bool) -> None:
    """1 + 10⁻⁴ is 1 in bfloat16: the change must not be added to the weight before it is multiplied."""
    model = layers(dtype)
    layer = model.root.layers["linear"]
    with torch.no_grad():
        layer.bias.zero_()
        layer.weight.copy_(torch.ones(8, 12) * torch.tensor([1.0, -1.0]).repeat(6))
    if kind == "full":
        block = FullBlock(layer)
        with torch.no_grad():
            block.diff.fill_(1e-4)
    else:
        block = LoraBlock(layer, rank=1, alpha=1.0).fill(torch.ones(1, 12), torch.full((8, 1), 1e-4))
    with attached(model, "linear", block).active() as module, torch.autocast("cpu", torch.bfloat16, autocast):
        small = module("linear", torch.ones(1, 12, dtype=dtype)).detach().float()
    assert small == pytest.approx(torch.full((1, 8), 12e-4), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_over_float32(kind: str) -> None:
    model = layers()
    for name in ("linear", "conv"):
        block = made(kind, name, model, bias=True)
        handle = attached(model, name, block)
        wanted = run(handle, name)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = run(handle, name)
            base = run(model, name)
        assert found.dtype is base.dtype is torch.bfloat16
        assert (found.float() - wanted).abs().max() < 0.04 * wanted.abs().max()
        found.float().square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())


@pytest.mark.parametrize("kind", ["lora", "loha dora", "lokr", "lora dora", "full"])
def test_compiles_into_one_graph(kind: str) -> None:
    model = layers()
    for name in ("linear", "conv"):
        handle = attached(model, name, made(kind, name, model, bias=True), made("lora", name, model, seed=3))
        wanted = run(handle, name)
        torch.compiler.reset()
        with handle.active() as module:
            compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
            assert torch.allclose(compiled(name, x_of(name)), wanted, atol=1e-6)


def test_a_magnitude_of_a_row_of_zeros_does_not_divide_by_zero() -> None:
    model = layers()
    layer = model.root.layers["linear"]
    with torch.no_grad():
        layer.weight[2] = 0
    block = LoraBlock(layer, rank=2, alpha=2.0, decomposed=True).initialise(torch.Generator().manual_seed(0))
    handle = attached(model, "linear", block)
    assert torch.equal(run(handle, "linear"), run(model, "linear"))
    with torch.no_grad():
        block.up.weight.fill_(0.1)
    out = run(handle, "linear")
    out.sum().backward()
    assert out.isfinite().all() and all(p.grad.isfinite().all() for p in block.parameters())


def test_a_decomposed_change_needs_the_weight() -> None:
    model = layers()
    with pytest.raises(GraphError) as caught:
        made("lokr dora", "linear", model).delta()
    assert caught.value.problem.code == "E_ADAPTER"


@pytest.mark.parametrize(
    ("kind", "change", "code", "text"),
    [
        ("lora", lambda t: t | {"lora_down.weight": random(2, 11)}, "E_LORA_SHAPE", "down"),
        ("lora", lambda t: t | {"lora_down.weight": random(0, 12)}, "E_LORA_SHAPE", "down"),
        ("lora", lambda t: t | {"lora_mid.weight": random(2, 2, 3, 3)}, "E_LORA_SHAPE", "mid"),
        ("lora", lambda t: t | {"dora_scale": random(7, 1)}, "E_LORA_SHAPE", "dora_scale"),
        ("lora", lambda t: t | {"diff_b": random(7)}, "E_LORA_SHAPE", "diff_b"),
        ("lora", lambda t: t | {"oft_blocks": random(7)}, "E_LORA_KEYS", "oft_blocks"),
        ("loha", lambda t: {k: v for k, v in t.items() if k != "hada_w1_b"}, "E_LORA_KEYS", "hada_w1_b missing"),
        ("loha", lambda t: t | {"hada_t1": random(2, 2, 3, 3), "hada_t2": random(2, 2, 3, 3)}, "E_LORA_SHAPE", "t1"),
        ("loha", lambda t: t | {"hada_w2_a": random(8, 3)}, "E_LORA_SHAPE", "hada_w2_a"),
        ("lokr", lambda t: t | {"lokr_w1": random(3, 2)}, "E_LORA_SHAPE", "lokr_w1"),
        ("lokr", lambda t: t | {"lokr_w2_b": random(1, 5)}, "E_LORA_SHAPE", "lokr_w2_b"),
        ("lokr", lambda t: {k: v for k, v in t.items() if k != "lokr_w2_a"}, "E_LORA_KEYS", "lokr_w2_a missing"),
        ("lokr", lambda t: t | {"lokr_t2": random(1, 1, 3, 3)}, "E_LORA_SHAPE", "lokr_t2"),
        ("full", lambda t: t | {"diff": random(12, 8)}, "E_LORA_SHAPE", "diff"),
        ("full", lambda t: t | {"alpha": random()}, "E_LORA_KEYS", "alpha"),
    ],
)
def test_tensors_that_do_not_fit(kind: str, change, code: str, text: str) -> None:
    model = layers()
    block = made(kind, "linear", model)
    with pytest.raises(GraphError, match=text) as caught:
        type(block).from_tensors(model.root.layers["linear"], change(block.tensors()), strength=1.0, path="some.layer")
    assert caught.value.problem.code == code and "some.layer" in str(caught.value)


def test_linear_layers_and_1x1_convolutions_take_each_others_weights() -> None:
    for kind in ("lora", "loha", "lokr", "lokr whole", "full", "lora dora"):
        model = layers()
        point = made(kind, "point", model, bias=True)
        linear = nn.Linear(6, 8)
        with torch.no_grad():
            linear.weight.copy_(model.root.layers["point"].weight.flatten(1))
        flat = again(point, linear)
        assert torch.equal(flat.delta(linear.weight), point.delta(model.root.layers["point"].weight).flatten(1))
        back = again(flat, model.root.layers["point"])
        assert all(torch.equal(value, point.tensors()[key]) for key, value in back.tensors().items())


def test_starting_at_the_singular_values() -> None:
    model = layers()
    for name in ("linear", "conv"):
        layer = model.root.layers[name]
        for decomposed in (False, True):
            block = LoraBlock(layer, rank=3, alpha=6.0, decomposed=decomposed)
            block.initialise_svd(layer.weight, torch.Generator().manual_seed(0))
            assert torch.equal(run(attached(model, name, block), name), run(model, name))
        plain = LoraBlock(layer, rank=3, alpha=6.0).initialise_svd(layer.weight, torch.Generator().manual_seed(0))
        u, s, vh = torch.linalg.svd(layer.weight.flatten(1), full_matrices=False)
        best = (u[:, :3] * s[:3]) @ vh[:3]
        assert torch.allclose(2 * plain.up.weight.flatten(1) @ plain.down.weight.flatten(1), best, atol=1e-5)
        with torch.no_grad():
            plain.up.weight.mul_(0.5)
        assert torch.allclose(plain.delta().flatten(1), -best / 2, atol=1e-5)
        tensors = plain.tensors()
        assert tensors["lora_down.weight"].shape[0] == 6 and tensors["alpha"] == 12
        assert torch.allclose(again(plain, layer).delta(), plain.delta(), atol=1e-6)
        assert torch.allclose(
            run(attached(model, name, again(plain, layer)), name), run(attached(model, name, plain), name), atol=1e-5
        )
        assert set(plain.state_dict()) == {"down.weight", "up.weight", "start_down", "start_up"}
        assert [n for n, _ in plain.named_parameters()] == ["down.weight", "up.weight"]


def test_more_rank_than_singular_values() -> None:
    layer = nn.Linear(4, 6)
    block = LoraBlock(layer, rank=6, alpha=6.0).initialise_svd(layer.weight, torch.Generator().manual_seed(0))
    assert torch.allclose(block.up.weight @ block.down.weight, layer.weight, atol=1e-6)
    assert block.down.weight[4:].abs().min(1).values.min() > 0 and not block.up.weight[:, 4:].any()


def test_a_copy_of_the_handle_sees_its_own_weights() -> None:
    """A decomposed adapter looks at the weight of the layer it is called for, not of the one it was made for."""
    model = layers()
    block = made("loha dora", "linear", model)
    handle = attached(model, "linear", block)
    layer = model.root.layers["linear"]
    copy = handle.copy({id(layer.weight): layer.weight.detach() * 2})
    twin = layers()
    with torch.no_grad():
        twin.root.layers["linear"].weight.mul_(2)
    block = again(block, twin.root.layers["linear"])
    assert torch.equal(run(copy, "linear"), run(attached(twin, "linear", block), "linear"))


@pytest.mark.parametrize("kind", KINDS)
def test_below_a_trained_layer_both_get_their_gradients(kind: str) -> None:
    """The layer's own weight may be trained as well: what reaches it is that of the changed layer."""
    model = layers()
    layer = model.root.layers["linear"]
    layer.weight.requires_grad_(True)
    block = made(kind, "linear", model)
    given = (layer.weight, *block.parameters())
    found = torch.autograd.grad(run(attached(model, "linear", block), "linear").square().sum(), given)
    changed = layer.weight + block._difference(layer.weight)
    wanted = torch.autograd.grad(operate(layer, x_of("linear"), changed, layer.bias).square().sum(), given)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_a_host_that_hides_its_layer() -> None:
    model = layers()
    layer, x = model.root.layers["linear"], x_of("linear")

    def hidden(x: torch.Tensor) -> torch.Tensor:
        return layer(x)

    assert torch.equal(made("lora", "linear", model)(hidden, x), made("lora", "linear", model)(layer, x))
    with pytest.raises(GraphError) as caught:
        made("loha", "linear", model)(hidden, x)
    assert caught.value.problem.code == "E_ADAPTER"


def test_hyper_params() -> None:
    model = layers()
    plugin = Plugin({"linear": made("lokr", "linear", model)})
    before = plugin.blocks["linear"].delta()
    plugin.set_hyper_params(strength=2.0, alpha=6.0)
    assert torch.allclose(plugin.blocks["linear"].delta(), before * 4)
    with pytest.raises(GraphError) as caught:
        Plugin({"linear": made("full", "linear", model)}).set_hyper_params(alpha=1.0)
    assert caught.value.problem.code == "E_HYPER_PARAM"
