"""Learning rates and weight decay of adapters, as real optimizers use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.optim.adamw import adamw
from hcpgraph_nodes.optim.custom import custom
from hcpgraph_nodes.optim.optimizer import param_groups
from hcpgraph_nodes.optim.schedule import schedule
from hcpgraph_nodes.plugins.base import Plugin
from hcpgraph_nodes.plugins.blocks.layers import groups
from hcpgraph_nodes.plugins.full import full
from hcpgraph_nodes.plugins.loha import loha
from hcpgraph_nodes.plugins.lokr import lokr
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.train.checkpoint import capture, restore
from hcpgraph_nodes.types import Params

from hcpgraph.testing import context

from .plugin_page import Scale, random


@pytest.fixture
def unet(workspace: Path):
    return load_model(context(workspace), path="models:tiny").denoiser


def step(optimizer, seed: int = 0) -> dict[str, torch.Tensor]:
    """How far every parameter goes in one step with random gradients."""
    before = {name: p.detach().clone() for name, p in optimizer.names.items()}
    for number, parameter in enumerate(optimizer.names.values()):
        parameter.grad = random(*parameter.shape, seed=seed + number)
    optimizer.optimizer.step()
    for item in optimizer.schedulers:
        item.step()
    return {name: (p.detach() - before[name]).abs() for name, p in optimizer.names.items()}


def rates(optimizer) -> dict[int, float]:
    return {id(p): group["lr"] for group in optimizer.optimizer.param_groups for p in group["params"]}


def test_lora_plus_makes_up_faster_and_schedules_keep_the_ratio(workspace: Path, unet) -> None:
    plugin = lora(context(workspace), unet, layers=["re:.*attn1"], rank=2, lora_plus_ratio=16)
    assert [group.get("lr_scale") for group in plugin.params.groups] == [None, 16.0]
    assert all("lr" not in group for group in plugin.params.groups)
    optimizer = schedule(
        adamw((plugin.params,), lr=1e-3, weight_decay=0.0), kind="linear", warmup_steps=2, total_steps=10
    )
    for number, factor in enumerate((0.0, 0.5, 1.0, 7 / 8)):
        moved = step(optimizer, number)
        up, down = (
            torch.cat([far.flatten() for name, far in moved.items() if name.endswith(end)]).mean()
            for end in ("up.weight", "down.weight")
        )
        assert 0.4 * factor * 1e-3 <= down <= factor * 1e-3
        assert up == pytest.approx(16 * float(down), rel=0.15)


def test_rates_of_layers_and_of_lora_plus_multiply(workspace: Path, unet) -> None:
    plugin = lora(
        context(workspace),
        unet,
        layers=["re:.*attn", "conv_in"],
        rank=2,
        lora_plus_ratio=4,
        lrs={"conv_in": 1e-2, "re:.*attn2": 1e-5},
        weight_decay=0.3,
    )
    optimizer = adamw((plugin.params,), lr=1e-3)
    by_id = rates(optimizer)
    for name, parameter in optimizer.names.items():
        base = 1e-2 if "conv_in" in name else 1e-5 if "attn2" in name else 1e-3
        assert by_id[id(parameter)] == pytest.approx(base * (4 if name.endswith("up.weight") else 1))
    assert {group["weight_decay"] for group in optimizer.optimizer.param_groups} == {0.3}
    other = custom((plugin.params,), PythonObject(torch.optim.SGD, {"momentum": 0.9}), lr=1e-3)
    assert rates(other) == by_id


def test_an_optimizers_rate_of_zero_is_no_missing_one(workspace: Path, unet) -> None:
    plugin = lora(context(workspace), unet, layers=["conv_in"], rank=2)
    extra = Params(({"name": "b", "params": {"x": torch.nn.Parameter(torch.ones(1))}, "lr": 0.0, "lr_scale": 2.0},))
    for lr, wanted in ((0.0, [0.0, 0.0]), (0.5, [0.5, 0.0])):
        made = param_groups((plugin.params, extra), lr).groups
        assert [group["lr"] for group in made] == wanted


@pytest.mark.parametrize("make", [lora, loha, lokr, full])
def test_weight_decay_really_applies(workspace: Path, unet, make) -> None:
    """Without gradients a step of AdamW multiplies every weight by 1 − lr · weight_decay; magnitudes stay."""
    options = {} if make is full else {"rank": 2, "decompose": True}
    plugin = make(context(workspace), unet, layers=["re:.*attn1", "conv_in"], weight_decay=0.5, **options)
    optimizer = adamw((plugin.params,), lr=0.1, weight_decay=0.0)
    with torch.no_grad():
        for parameter in optimizer.names.values():
            parameter.copy_(random(*parameter.shape) + 2)
    before = {name: p.detach().clone() for name, p in optimizer.names.items()}
    for parameter in optimizer.names.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.optimizer.step()
    assert optimizer.names.keys() == before.keys() and len(before) == len(list(plugin.adapter.plugin.parameters()))
    for name, parameter in optimizer.names.items():
        factor = 1.0 if name.endswith("dora_scale") else 0.95
        assert torch.allclose(parameter, before[name] * factor, rtol=1e-6)
    inherited = make(context(workspace), unet, layers=["conv_in"], **options)
    decays = [group["weight_decay"] for group in adamw((inherited.params,), weight_decay=0.2).optimizer.param_groups]
    assert set(decays) == ({0.2} if make is full else {0.2, 0.0})


def test_checkpoints_keep_rates_and_moments(workspace: Path, unet) -> None:
    def fresh():
        plugin = lora(context(workspace), unet, layers=["re:.*attn1"], rank=2, lora_plus_ratio=8, decompose=True)
        return schedule(adamw((plugin.params,), lr=1e-3), kind="cosine", total_steps=6)

    whole, first, second = fresh(), fresh(), fresh()
    for number in range(4):
        step(whole, number)
    for number in range(2):
        step(first, number)
    restore(capture(2, (first,), {}, {}), (second,), {})
    for number in range(2, 4):
        step(second, number)
    assert list(rates(second).values()) == list(rates(whole).values()) and len(set(rates(second).values())) == 2
    assert all(torch.equal(p, second.names[name]) for name, p in whole.names.items())


def test_groups_of_other_plugins(workspace: Path, unet) -> None:
    plugin = Plugin({"a": Scale(None), "b": Scale(None)})
    (group,) = groups(plugin, "n", lr=None, weight_decay=0.1, lrs={}, fast=3.0)
    assert group == {"name": "n", "params": group["params"], "weight_decay": 0.1}
    assert list(group["params"]) == ["a.factor", "b.factor"]
    plugin.requires_grad_(False)
    assert groups(plugin, "n", lr=None, weight_decay=None, lrs={}, fast=1.0) == ()
