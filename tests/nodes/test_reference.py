"""Reference models: the wire before a plugin, `plugin.without`, and `model.reference` for trained weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.reference import reference
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.optim.adamw import adamw
from hcpgraph_nodes.plugins.custom import custom_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.without import without
from hcpgraph_nodes.python.object import python_object
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import Graph, GraphError, trust
from hcpgraph.testing import context

from ..graphs.hand_written import drawn
from .plugin_page import fill, random

NOISY, TIME = NoisyLatents(random(2, 4, 8, 8)), Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))


@pytest.fixture
def denoiser(workspace: Path):
    return load_model(context(workspace), path="models:tiny").denoiser


def run(handle) -> torch.Tensor:
    return predict(handle, NOISY, TIME, TEXT).data


def filled(workspace: Path, handle, seed: int):
    made = lora(context(workspace, node=f"l{seed}"), handle, rank=2)
    fill(made.adapter.plugin, seed)
    return made


def held(*handles) -> int:
    """Bytes of all weights that some handles hold."""
    modules = {id(module): module for handle in handles for module in handle.modules()}
    weights = {p.data_ptr(): p.nbytes for module in modules.values() for p in module.parameters()}
    return sum(weights.values())


def test_the_wire_before_a_plugin_is_a_reference_that_costs_nothing(workspace: Path, denoiser) -> None:
    before = run(denoiser)
    made = filled(workspace, denoiser, 1)
    adapter = sum(parameter.nbytes for parameter in made.adapter.plugin.parameters())
    kept = 0

    def pack(value: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += 1
        return value

    optimizer = torch.optim.SGD(made.adapter.plugin.parameters(), lr=0.1)
    for _ in range(2):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            prior = run(denoiser)
        assert prior.grad_fn is None and not prior.requires_grad and kept == 0
        (run(made.model) - prior).square().mean().backward()
        optimizer.step()
    assert torch.equal(run(denoiser), before) and not torch.equal(run(made.model), before)
    assert held(denoiser, made.model) == held(denoiser) + adapter
    assert denoiser.root is made.model.root and denoiser.root.reads == 1


def test_a_plugin_is_taken_out_from_anywhere_in_the_stack(workspace: Path, denoiser) -> None:
    first = filled(workspace, denoiser, 1)
    second = filled(workspace, first.model, 2)
    third = filled(workspace, second.model, 3)
    left = without(third.model, second.adapter)
    assert left.stack == (first.adapter.plugin, third.adapter.plugin)
    assert torch.equal(run(left), run(first.model.attach(third.adapter.plugin)))
    assert torch.equal(run(without(without(left, first.adapter), third.adapter)), run(denoiser))
    assert held(left, third.model) == held(third.model)
    for model in (left, reference(third.model)):
        with pytest.raises(GraphError) as caught:
            without(model, second.adapter)
        assert caught.value.problem.code == "E_NOT_ATTACHED" and caught.value.problem.port == "adapter"
    with pytest.raises(GraphError, match="not attached"):
        left.without(second.adapter.plugin)


def test_a_reference_stays_while_weights_and_plugins_are_trained(workspace: Path, denoiser) -> None:
    chosen = trainable(context(workspace, node="whole"), denoiser, layers=["conv_in"])
    made = filled(workspace, chosen.model, 1)
    frozen = reference(made.model)
    before = run(made.model).detach()
    assert torch.equal(run(frozen), before)
    assert not frozen.trainable and run(frozen).grad_fn is None
    optimizer = adamw((chosen.params, made.params), lr=0.01).optimizer
    run(made.model).square().mean().backward()
    optimizer.step()
    assert torch.equal(run(frozen), before) and not torch.equal(run(made.model), before)
    assert held(frozen, made.model) == 2 * held(made.model)


def prior_preserving(steps: int) -> Graph:
    """Full fine-tuning that a second loss keeps near what the model predicted before."""
    g = drawn(steps)
    g.add("model.reference", "before")
    for type_id, id in [("predict", "prior"), ("as_target", "goal")]:
        g.add(f"diffusion.{type_id}", id, inside="train")
    for type_id, id in [("mse", "apart"), ("mean", "keep")]:
        g.add(f"loss.{type_id}", id, inside="train")
    g.add("flow.after", "last")
    for source, target in [
        ("new.denoiser", "before.model"),
        ("before.out", "prior.denoiser"),
        ("noisy.out", "prior.noisy"),
        ("t.out", "prior.timesteps"),
        ("text.out", "prior.conditioning"),
        ("prior.out", "goal.prediction"),
        ("predict.out", "apart.prediction"),
        ("goal.out", "apart.target"),
        ("apart.out", "keep.loss"),
        ("keep.out", "train.loss"),
        ("whole.model", "last.value"),
        ("train.trained", "last.trained"),
    ]:
        g.connect(source, target)
    return g


def weights(result, port: str) -> list[torch.Tensor]:
    assert result.status == "done", result.failed
    return list(result.outputs[port].root.module.parameters())


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
def test_prior_preservation_in_a_graph(tmp_path: Path) -> None:
    """The reference is the model before training, also where a run goes on from a checkpoint."""
    targets = ["last", "before", "train.losses"]
    assert [p for p in hcpgraph.validate(prior_preserving(3), workspace=tmp_path) if p.severity == "error"] == []
    whole = hcpgraph.run(prior_preserving(3), workspace=tmp_path / "whole", targets=targets)
    hcpgraph.run(prior_preserving(1), workspace=tmp_path / "resumed", targets=targets)
    resumed = hcpgraph.run(prior_preserving(3), workspace=tmp_path / "resumed", targets=targets)
    plain = hcpgraph.run(drawn(3), workspace=tmp_path / "plain", targets=["train.losses"])
    start = hcpgraph.run(drawn(3), workspace=tmp_path / "start", targets=["new"])
    assert same(weights(whole, "before.out"), weights(start, "new.denoiser"))
    assert same(weights(whole, "last.out"), weights(resumed, "last.out"))
    assert not same(weights(whole, "last.out"), weights(whole, "before.out"))
    losses, alone = (run.outputs["train.losses"].series["loss"] for run in (whole, plain))
    assert losses[0] == alone[0], "before the first step there is nothing to keep"
    assert losses[2][1] > alone[2][1]


OWN = """
import torch
from hcpgraph_nodes.plugins.kinds import SinglePluginBlock
from torch import nn

class Shift(SinglePluginBlock):
    def __init__(self, layer):
        super().__init__()
        self.shift = nn.Parameter(torch.full((), 2.0))
    def forward(self, value, *args, **kwargs):
        return value + 0 * self.shift
"""


def test_own_learning_rates_and_decays_apply_in_a_step_of_adamw(workspace: Path, denoiser, monkeypatch) -> None:
    """Where gradients are zero a step multiplies weights by 1 - lr · weight_decay: norms, biases and scalars too."""
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(workspace / "config"))
    monkeypatch.syspath_prepend(str(workspace))
    (workspace / "own_shift.py").write_text(OWN, encoding="utf-8")
    trust.add("own_shift:Shift")
    parts = [
        trainable(context(workspace, node="a"), denoiser, layers=["conv_in"], lr=0.1, weight_decay=0.5).params,
        trainable(context(workspace, node="b"), denoiser, layers=["conv_norm_out"], lr=0.2, weight_decay=0.0).params,
        trainable(context(workspace, node="c"), denoiser, layers=["conv_out"]).params,
    ]
    for node, own in (("d", {"lr": 0.4, "weight_decay": 0.25}), ("e", {"weight_decay": 0.0}), ("f", {})):
        made = custom_plugin(
            context(workspace, node=node), denoiser, python_object(path="own_shift:Shift"), layers=["conv_in"], **own
        )
        parts.append(made.params)
    weights = {part.groups[0]["name"]: list(part.groups[0]["params"].values()) for part in parts}
    before = {name: [weight.detach().clone() for weight in group] for name, group in weights.items()}
    optimizer = adamw(tuple(parts), lr=0.3, weight_decay=0.1).optimizer
    for group in weights.values():
        for weight in group:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    factors = {"a": 1 - 0.1 * 0.5, "b": 1.0, "c": 1 - 0.3 * 0.1, "d": 1 - 0.4 * 0.25, "e": 1.0, "f": 1 - 0.3 * 0.1}
    for name, factor in factors.items():
        assert len(weights[name]) == (2 if name in "abc" else 1)
        for weight, old in zip(weights[name], before[name], strict=True):
            torch.testing.assert_close(weight.detach(), old * factor)
