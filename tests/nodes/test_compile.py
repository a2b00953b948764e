"""`model.compile`: one graph a stack, results and gradients as in eager, errors that say what to do."""

from __future__ import annotations

import gc
import logging
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.guide import guide
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.compile import compile_model
from hcpgraph_nodes.model.compiled import Compiling
from hcpgraph_nodes.model.handles import Handle
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.plugins.kinds import SinglePluginBlock, WrapPluginBlock
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.types import Captions, Conditioning, NoisyLatents, Target, Timesteps
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

from ..graphs.hand_written import drawn
from .plugin_page import Gate, Scale, Shortcut, fill, random
from .test_handles_ddp import SMALL
from .test_plugin_kinds import Net, every_kind, net, out

X = random(3, 4)
TIMES = torch.tensor([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No graphs of other tests; torch's trace, which is thousands of lines, is not kept for a report."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def counted(backend: str = "aot_eager", dynamic: bool = False) -> Compiling:
    """A backend that counts graphs."""
    return Compiling(CompileCounterWithBackend(backend), dynamic=dynamic)


def compiled(handle: Handle, how: Compiling) -> Handle:
    return replace(handle, compiling=how)


def stack(base: Handle, seed: int) -> Handle:
    """Three kinds of plugins."""
    for number, plugin in enumerate(
        (Scale.on(base, ["a", "pre_hook:b"]), Shortcut.on(base, ["pre_hook:a"], ["b"]), Gate.on(base, ["c.inner"]))
    ):
        base = base.attach(fill(plugin, seed + number))
    return base.with_inputs(timesteps=TIMES * seed)


def gradients(handle: Handle, x: torch.Tensor = X) -> list[torch.Tensor]:
    """The output and all gradients."""
    output = out(handle, x)
    trained = [parameter for plugin in handle.stack for parameter in plugin.parameters()]
    return [output, *torch.autograd.grad(output.square().sum(), trained)] if trained else [output]


def test_every_stack_has_one_graph_and_equals_eager_bit_for_bit() -> None:
    how = counted()
    base = net()
    one, two = stack(base, 1), stack(base, 30)
    reversed_order = base.attach(two.stack[1]).attach(two.stack[0]).with_inputs(timesteps=TIMES)
    handles = [one, two, base, reversed_order]
    for step in range(4):
        with torch.no_grad():  # an optimizer changes weights where they are
            for parameter in one.stack[0].parameters():
                parameter.mul_(1.5)
        for number, handle in enumerate(handles):
            found, expected = gradients(compiled(handle, how), X + step), gradients(handle, X + step)
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
            assert how.backend.frame_count == (number + 1 if step == 0 else len(handles))
    assert base.root.active is None


def test_many_stacks_do_not_crowd_each_other_out() -> None:
    """torch.compile keeps eight graphs of a function; more are an error or fall back to eager."""
    how, base = counted("eager"), net()
    handles = [base.attach(fill(Scale.on(base, ["a"]), seed)) for seed in range(12)]
    for _ in range(2):
        for handle in handles:
            assert torch.equal(out(compiled(handle, how), X), out(handle, X))
    assert how.backend.frame_count == 12 == len(base.root.compiled)


def test_what_was_compiled_goes_with_the_plugin() -> None:
    how, base = counted("eager"), net()
    keep, drop = stack(base, 1), stack(base, 9)
    for handle in (keep, drop):
        gradients(compiled(handle, how))
    dead = [weakref.ref(plugin) for plugin in drop.stack]
    del drop, handle
    gc.collect()
    assert [each() for each in dead] == [None] * 3 and len(base.root.compiled) == 1
    for plugin in (Scale.on(base, ["a"]), Scale.on(base, ["b"])):  # the graph of `keep` stays as it was
        assert torch.equal(out(compiled(base.attach(plugin), how), X), out(base.attach(plugin), X))
    before = how.backend.frame_count
    gradients(compiled(keep, how))
    assert how.backend.frame_count == before


@pytest.mark.parametrize("dynamic", [False, True])
def test_sizes(dynamic: bool) -> None:
    how, base = counted(dynamic=dynamic), net()
    handle = base.attach(fill(Scale.on(base, ["a", "c.inner"])))
    for _ in range(2):
        for rows in (2, 3, 5, 7):
            x = random(rows, 4, seed=rows)
            found, expected = gradients(compiled(handle, how), x), gradients(handle, x)
            assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))
    assert how.backend.frame_count == (1 if dynamic else 4)


def test_a_nested_call_and_one_that_failed_leave_the_others_alone() -> None:
    how, base = counted("eager"), net()
    one, two = stack(base, 1), stack(base, 30)
    expected = out(one, X)
    with one.active() as module:
        with compiled(two, how).active() as inner, pytest.raises(Exception, match="shape"):
            inner(X[:, :2])
        assert torch.equal(out(compiled(two, how), X), out(two, X))
        assert torch.equal(module(X), expected)


def kept(call) -> tuple[list[torch.Tensor], int]:
    """What a call gives, and the bytes that it keeps for the backward pass."""
    sizes: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        sizes[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        return call(), sum(sizes.values())


@pytest.mark.slow
def test_two_branches_of_a_step_on_a_unet_with_gradient_checkpointing(tmp_path: Path) -> None:
    """The same numbers as in eager without checkpointing, bit for bit, and fewer of them kept."""
    found, sizes = [], []
    for checkpointing, how in ((False, None), (True, counted())):
        base = new_model(context(tmp_path), **SMALL, checkpointing=checkpointing).denoiser
        base.root.module.train()
        one, two = (compiled(filled(tmp_path, base, seed), how) for seed in (1, 2))
        step(one, two)  # compiles, and compares with eager
        result, size = kept(lambda one=one, two=two: step(one, two))
        found.append(result)
        sizes.append(size)
        assert how is None or how.backend.frame_count == 2
        assert base.root.active is None
    assert len(found[0]) > 10
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert sizes[1] < 0.7 * sizes[0]


def filled(workspace: Path, base, seed: int):
    """A LoRA with dropout that is not the identity."""
    model = lora(context(workspace, node=f"l{seed}"), base, layers=[r"re:.*attn1\.to_"], rank=2, dropout=0.2).model
    fill(model.stack[0], seed)
    return model


def step(one, two) -> list[torch.Tensor]:
    """A training step whose two branches have stacks of their own: the loss and all gradients."""
    noisy, time, text = NoisyLatents(random(2, 4, 8, 8)), Timesteps(torch.tensor([10, 700])), random(2, 7, 16, seed=1)
    torch.manual_seed(5)
    branches = [predict(handle, noisy, time, Conditioning.of(text)) for handle in (one, two)]
    loss = mse(guide(*branches, scale=3.0), Target(random(2, 4, 8, 8, seed=2))).data.mean()
    trained = [p for handle in (one, two) for plugin in handle.stack for p in plugin.parameters()]
    return [loss, *torch.autograd.grad(loss, trained)]


def test_features_cross_the_borders_of_checkpointed_parts() -> None:
    how = counted()
    for seed in (1, 20):
        handle, plain = (every_kind(net(part), seed=seed).with_inputs(timesteps=TIMES) for part in (True, False))
        found, expected = gradients(compiled(handle, how)), gradients(plain)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert how.backend.frame_count == 2


@pytest.mark.slow
def test_text_encoders_and_autoencoders(workspace: Path) -> None:
    model = load_model(context(workspace), path="models:tiny")
    words = Captions(("a cat", "a dog"))
    how = counted("eager")
    for clip_skip in (0, 1):
        found = encode(context(workspace), compiled(model.text_encoder, how), words, clip_skip=clip_skip, cache="off")
        expected = encode(context(workspace), model.text_encoder, words, clip_skip=clip_skip, cache="off")
        assert torch.equal(found.data, expected.data)
    pictures, latents = random(1, 3, 16, 16), random(1, 4, 8, 8)
    with torch.no_grad(), model.vae.active() as eager, compiled(model.vae, how).active() as module:
        assert module.config == eager.config
        assert torch.equal(module.encode(pictures).latent_dist.mean, eager.encode(pictures).latent_dist.mean)
        assert torch.equal(module.decode(latents).sample, eager.decode(latents).sample)
    assert how.backend.frame_count == 4


def wrong(change):
    """A backend whose gradients are changed."""

    class Changed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, gradient):
            return change(gradient)

    def backend(graph, _):
        return lambda *args: [Changed.apply(value) if value.requires_grad else value for value in graph(*args)]

    return backend


@pytest.mark.parametrize("change", [lambda g: 1.01 * g, lambda g: 0 * g, lambda g: g * torch.nan])
def test_wrong_gradients_end_the_training(change) -> None:
    handle = stack(net(), 1)
    bad = compiled(handle, Compiling(wrong(change)))
    with torch.no_grad():
        assert torch.equal(out(bad, X), out(handle, X))
    for _ in range(2):
        with pytest.raises(GraphError) as caught:
            out(bad, X)
        assert caught.value.problem.code == "E_COMPILE_GRADIENTS" and "plugin" in caught.value.problem.message
    assert handle.root.active is None


def test_wrong_results_end_the_training() -> None:
    handle = stack(net(), 1)

    def backend(graph, _):
        return lambda *args: [value * 1.01 for value in graph(*args)]

    with pytest.raises(GraphError) as caught:
        out(compiled(handle, Compiling(backend)), X)
    assert caught.value.problem.code == "E_COMPILE_RESULT"


def test_the_comparison_leaves_draws_and_gradients_alone() -> None:
    class Drop(WrapPluginBlock):
        def __init__(self, layer) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(2.0))

        def forward(self, host, x):
            return host(nn.functional.dropout(x, 0.5)) * self.factor

    base = net()
    handle = base.attach(Drop.on(base, ["a", "b"]))
    x = X.clone().requires_grad_()
    found = []
    for each in (handle, compiled(handle, counted())):
        torch.manual_seed(3)
        output = out(each, x)
        found.append([output, torch.randn(2), *torch.autograd.grad(output.square().sum(), x)])
        assert x.grad is None and all(p.grad is None for p in handle.stack[0].parameters())
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


class Printing(SinglePluginBlock):
    def forward(self, value, *args, **kwargs):
        torch._dynamo.graph_break()
        return value


class Asks(SinglePluginBlock):
    wants = ("mood",)


def test_what_cannot_be_compiled_is_an_error_and_not_slow() -> None:
    base = net()
    handle = base.attach(Printing.on(base, ["a"], lambda at: Printing()))
    for gradient in (False, True):
        with torch.set_grad_enabled(gradient), pytest.raises(GraphError) as caught:
            out(compiled(handle, counted("eager")), X)
        assert caught.value.problem.code == "E_COMPILE" and "model.compile" in caught.value.problem.hint
    assert base.root.active is None


def test_errors_of_plugins_are_their_own() -> None:
    base = net()
    handle = base.attach(Asks.on(base, ["a"], lambda at: Asks()))
    with pytest.raises(GraphError) as caught:
        out(compiled(handle, counted("eager")), X)
    assert caught.value.problem.code == "E_SIDE_INPUT"


def test_too_many_sizes(monkeypatch) -> None:
    monkeypatch.setattr("hcpgraph_nodes.model.compiled.GRAPHS", 2)
    handle = compiled(net(), counted("eager"))
    with torch.no_grad(), pytest.raises(GraphError) as caught:
        for rows in range(2, 6):
            out(handle, random(rows, 4))
    assert caught.value.problem.code == "E_COMPILE" and "dynamic" in caught.value.problem.hint


@pytest.mark.slow
def test_training_in_a_graph_is_the_same(tmp_path: Path) -> None:
    """Full fine-tuning in a loop: `model.compile` on the wire to the prediction changes no loss."""
    curves = []
    for wired in (False, True):
        g = drawn(3)
        if wired:
            g.add("model.compile", "compile", backend="aot_eager")
            g.connect("whole.model", "compile.model")
            g.connect("compile.out", "predict.denoiser")
        assert [p for p in hcpgraph.validate(g, workspace=tmp_path) if p.severity == "error"] == []
        result = hcpgraph.run(g, workspace=tmp_path / f"{wired}", targets=["train.losses", "new.denoiser"])
        assert result.status == "done", result.failed
        assert len(result.outputs["new.denoiser"].root.compiled) == wired
        curves.append(result.outputs["train.losses"].series["loss"])
    assert [step for step, _ in curves[0]] == [1, 2, 3]
    assert curves[0] == [(step, pytest.approx(loss, rel=1e-5)) for step, loss in curves[1]]


def test_the_node(workspace: Path, monkeypatch) -> None:
    base = load_model(context(workspace), path="models:tiny").denoiser
    how = compile_model(base, dynamic=True, mode="max-autotune").compiling
    assert how == Compiling("inductor", "max-autotune-no-cudagraphs", True)
    model = compile_model(base, backend="aot_eager")
    plugged = lora(context(workspace), model, rank=2).model
    assert plugged.compiling == plugged.without(plugged.stack[0]).compiling == Compiling("aot_eager")
    assert base.compiling is None
    with pytest.raises(GraphError) as caught:
        compile_model(base, backend="aot_eager", mode="max-autotune")
    assert caught.value.problem.code == "E_SETTING"
    # A configuration of torch is changed by its own means: monkeypatch would leave it without the name.
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}), pytest.raises(GraphError) as caught:
        compile_model(base)
    assert caught.value.problem.code == "E_COMPILE" and "g++" in caught.value.problem.hint
    gpu = Handle(root=Root(Net, Placement(torch.device("cuda"))), family="sd15")
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: False)
    with pytest.raises(GraphError) as caught:
        compile_model(replace(base, root=gpu.root))
    assert caught.value.problem.code == "E_COMPILE" and "triton" in caught.value.problem.hint
