"""`optim.ema` and `train.averaged`: against a reference, resumed, and independent of the last weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.average import average
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.optim.ema import ema
from hcpgraph_nodes.optim.optimizer import Optimizer
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.train.averaged import averaged
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps, Trained
from safetensors import safe_open
from safetensors.torch import load_file

import hcpgraph
from hcpgraph import Cache, Graph, GraphError
from hcpgraph.testing import context

from ..graphs.hand_written import drawn, with_teacher

DECAY, POWER = 0.8, 0.9
EMBEDDING = "text_model.embeddings.token_embedding"
STEPS = 6


def averaging(steps: int, **loop) -> Graph:
    """The hand-written step with a moving average; `last` and `averaged` are the weights after training."""
    g = drawn(steps, **loop)
    g.disconnect("train.optimizer.0")
    g.add("optim.ema", "ema", decay=DECAY, power=POWER)
    g.connect("adamw.out", "ema.optimizer")
    g.connect("ema.out", "train.optimizer")
    for type_id, id in (("flow.after", "last"), ("train.averaged", "averaged")):
        g.add(type_id, id)
        g.connect("whole.model", f"{id}.value")
        g.connect("train.trained", f"{id}.trained")
    return g


def weights(result, id: str) -> list[torch.Tensor]:
    assert result.status == "done", result.failed
    return [parameter.detach().clone() for parameter in result.outputs[f"{id}.out"].root.module.parameters()]


def run(workspace: Path, steps: int, **options):
    return hcpgraph.run(averaging(steps), workspace=workspace, targets=["last", "averaged", "new"], **options)


@pytest.mark.slow
def test_the_average_equals_a_reference_and_survives_a_resume_bit_for_bit(tmp_path: Path) -> None:
    by_step = [run(tmp_path / "resumed", steps) for steps in range(1, STEPS + 1)]
    reference = weights(by_step[0], "last")
    for step, result in enumerate(by_step[1:], 2):
        decay = min(DECAY, 1 - step**-POWER)
        for mean, last in zip(reference, weights(result, "last"), strict=True):
            mean.mul_(decay).add_(last, alpha=1 - decay)
        for mean, own in zip(reference, weights(result, "averaged"), strict=True):
            torch.testing.assert_close(own, mean, rtol=1e-5, atol=1e-7)
    whole = run(tmp_path / "whole", STEPS)
    for id in ("last", "averaged"):
        for resumed, own in zip(weights(by_step[-1], id), weights(whole, id), strict=True):
            assert torch.equal(resumed, own)
    assert any(not torch.equal(a, b) for a, b in zip(weights(whole, "last"), weights(whole, "averaged"), strict=True))


@pytest.mark.slow
def test_the_average_does_not_change_the_training(tmp_path: Path) -> None:
    plain = drawn(STEPS)
    plain.add("flow.after", "last")
    plain.connect("whole.model", "last.value")
    plain.connect("train.trained", "last.trained")
    without = hcpgraph.run(plain, workspace=tmp_path / "plain", targets=["last"])
    for a, b in zip(weights(without, "last"), weights(run(tmp_path / "mean", STEPS), "last"), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_finds_the_average_again(tmp_path: Path) -> None:
    cache = Cache()
    first = run(tmp_path, STEPS, cache=cache)
    expected = weights(first, "averaged")
    for again in (run(tmp_path, STEPS, cache=cache), run(tmp_path, STEPS)):
        assert all(torch.equal(a, b) for a, b in zip(weights(again, "averaged"), expected, strict=True))


def test_the_averages_of_an_adapter_and_a_word_can_be_saved(tmp_path: Path) -> None:
    g = drawn(3)
    g.remove("whole")
    g.disconnect("train.optimizer.0")
    g.set("pictures.template", "a <w> {name}")
    g.add("word.new", "word", name="<w>", vectors=2, init="cat")
    g.add("plugin.lora", "lora", rank=2, init="svd")
    g.add("optim.ema", "ema", decay=DECAY, power=POWER)
    for id in ("model", "lora", "word"):
        g.add("train.averaged", f"{id}_mean")
        g.connect("train.trained", f"{id}_mean.trained")
    g.add("plugin.save", "save_lora", path="out:l.safetensors", dtype="fp32")
    g.add("word.save", "save_word", path="out:w.safetensors")
    for source, target in [
        ("new.text_encoder", "word.model"),
        ("word.model", "lora.model"),
        ("lora.model", "text.text_encoder"),
        ("new.denoiser", "predict.denoiser"),
        ("lora.params", "adamw.params"),
        ("word.params", "adamw.params"),
        ("adamw.out", "ema.optimizer"),
        ("ema.out", "train.optimizer"),
        ("lora.model", "model_mean.value"),
        ("lora.adapter", "lora_mean.value"),
        ("word.word", "word_mean.value"),
        ("lora_mean.out", "save_lora.adapter"),
        ("word_mean.out", "save_word.word"),
    ]:
        g.connect(source, target)
    assert [p for p in hcpgraph.validate(g, workspace=tmp_path) if p.severity == "error"] == []
    result = hcpgraph.run(g, targets=["model_mean", "lora", "word", "save_lora", "save_word"], workspace=tmp_path)
    assert result.status == "done", result.failed
    word, plugin = result.outputs["model_mean.out"].stack
    found = load_file(tmp_path / "out/w.safetensors")["emb_params"]
    assert torch.equal(found, word.blocks[EMBEDDING].vectors)
    assert not torch.equal(found, result.outputs["word.word"].vectors()[0])
    state = load_file(tmp_path / "out/l.safetensors")
    last = result.outputs["lora.adapter"].plugin.blocks
    for path, block in plugin.blocks.items():
        for suffix, value in block.tensors().items():
            key = f"lora_te_{path.replace('.', '_')}.{suffix}"
            assert torch.equal(state[key], value)
            assert suffix == "alpha" or not torch.equal(state[key], last[path].tensors()[suffix])
    with safe_open(tmp_path / "out/l.safetensors", "pt") as opened:
        assert opened.metadata()["ss_network_dim"] == "4"  # of a start at the singular values the file holds both


def test_validation_accepts_the_average_and_still_refuses_the_wire_before_it(tmp_path: Path) -> None:
    g = averaging(STEPS)
    g.add("sample.empty_latents", "canvas", width=16, height=16)
    g.connect("new.vae", "canvas.vae")
    g.add("text.prompt", "prompt", texts=["panda"])
    g.add("text.encode", "words")
    g.connect("new.text_encoder", "words.text_encoder")
    g.connect("prompt.out", "words.captions")
    g.add("sample.denoise", "sample", guidance=1.0)
    for source, port in [("new.schedule", "schedule"), ("words.out", "positive"), ("canvas.out", "latents")]:
        g.connect(source, f"sample.{port}")
    g.connect("averaged.out", "sample.denoiser")
    assert [p for p in hcpgraph.validate(g, workspace=tmp_path) if p.severity == "error"] == []
    g.connect("whole.model", "sample.denoiser")
    assert {p.code for p in hcpgraph.validate(g, workspace=tmp_path)} == {"E_STALE"}


def output(handle) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noisy = NoisyLatents(torch.randn(1, 4, 8, 8, generator=generator))
    text = Conditioning.of(torch.randn(1, 77, 32, generator=generator))
    with torch.no_grad():
        return predict(handle, noisy, Timesteps(torch.tensor([500])), text).data


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_copy_has_its_own_weights_and_plugins(workspace: Path, checkpointing: bool) -> None:
    base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
    plugged = lora(context(workspace), base, rank=2)
    before = output(base)
    averages = tuple((p, torch.full_like(p, 0.1)) for p in plugged.adapter.plugin.parameters())
    copy = averaged(plugged.model, Trained(1, 0.0, averages))
    expected = output(copy)
    assert not copy.trainable and not torch.equal(expected, before)
    assert torch.equal(output(base), before) and torch.equal(output(plugged.model), before)
    with torch.no_grad():
        for parameter in (*plugged.adapter.plugin.parameters(), *base.root.module.parameters()):
            parameter.fill_(0.5)
    assert torch.equal(output(copy), expected) and not torch.equal(output(plugged.model), before)
    assert torch.equal(output(copy.without(copy.stack[0])), before)
    assert copy.root.tapped and not {*copy.modules()} & {*plugged.model.modules()}


def test_mistakes_name_their_remedy(workspace: Path) -> None:
    base = load_model(context(workspace), path="models:tiny").denoiser
    with pytest.raises(GraphError, match="kept no average") as error:
        averaged(base, Trained(1, 0.0))
    assert "optim.ema" in str(error.value.problem.hint)
    with pytest.raises(GraphError, match="int has no weights"):
        averaged(3, Trained(1, 0.0))
    tensor = torch.nn.Parameter(torch.zeros(1))
    once = ema(Optimizer(torch.optim.SGD([tensor], 0.1), {"w": tensor}))
    with pytest.raises(GraphError, match="already keeps"):
        ema(once)


def taught(steps: int) -> Graph:
    """The hand-written step with the moving average as a teacher; `last` are the weights after training."""
    g = with_teacher(drawn(steps), DECAY)
    g.add("flow.after", "last")
    g.connect("whole.model", "last.value")
    g.connect("train.trained", "last.trained")
    return g


def test_a_training_with_a_teacher_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def trained(steps: int, workspace: str) -> list[torch.Tensor]:
        return weights(hcpgraph.run(taught(steps), workspace=tmp_path / workspace, targets=["last"]), "last")

    trained(2, "resumed")
    alone = drawn(5)
    alone.add("flow.after", "last")
    alone.connect("whole.model", "last.value")
    alone.connect("train.trained", "last.trained")
    plain = weights(hcpgraph.run(alone, workspace=tmp_path / "plain", targets=["last"]), "last")
    whole = trained(5, "whole")
    assert all(torch.equal(a, b) for a, b in zip(trained(5, "resumed"), whole, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(plain, whole, strict=True))


def test_the_average_follows_the_optimizer_and_shares_what_is_not_trained(workspace: Path) -> None:
    base = load_model(context(workspace), path="models:tiny").denoiser
    plugged = lora(context(workspace), base, rank=2)
    named = {name: weight for group in plugged.params.groups for name, weight in group["params"].items()}
    optimizer = ema(Optimizer(torch.optim.SGD(named.values(), lr=1.0), named), decay=0.5)
    teacher = average(plugged.model, optimizer)
    assert teacher.root is base.root and average(base, optimizer) is base
    generator = torch.Generator().manual_seed(0)
    inputs = (
        NoisyLatents(torch.randn(1, 4, 8, 8, generator=generator)),
        Timesteps(torch.tensor([300])),
        Conditioning.of(torch.randn(1, 77, 32, generator=generator)),
    )
    with torch.no_grad():
        before = predict(teacher, *inputs).data
        assert torch.equal(before, predict(plugged.model, *inputs).data)
        for weight in named.values():
            weight.add_(torch.randn(weight.shape, generator=generator))
        assert torch.equal(before, predict(teacher, *inputs).data)
        optimizer.average.step(named.values())
        for weight in named.values():
            weight.add_(torch.randn(weight.shape, generator=generator))
        optimizer.average.step(named.values())
        after, last = predict(teacher, *inputs).data, predict(plugged.model, *inputs).data
        copied = averaged(
            plugged.model, Trained(2, 0.0, tuple(zip(named.values(), optimizer.average.shadow_params, strict=True)))
        )
        assert torch.equal(after, predict(copied, *inputs).data)
        assert not torch.equal(after, before) and not torch.equal(after, last)
        optimizer.average.step(named.values())
        assert not torch.equal(after, predict(teacher, *inputs).data)
        assert torch.equal(after, predict(copied, *inputs).data)


def test_an_optimizer_without_an_average_has_none_to_give(tmp_path: Path) -> None:
    g = taught(3)
    g.connect("adamw.out", "teacher.optimizer")
    found = [(p.code, p.node, p.port) for p in hcpgraph.validate(g, workspace=tmp_path) if p.severity == "error"]
    assert found == [("E_EMA", "teacher", "optimizer")]


def test_an_average_read_beside_the_training_is_told(tmp_path: Path) -> None:
    """Before or after training is not said; behind flow.after it is the last one, and is not kept for another run."""
    g = taught(3)
    g.add("sample.empty_latents", "canvas", width=16, height=16)
    g.connect("new.vae", "canvas.vae")
    g.add("model.save", "save", path="out:mean")
    g.connect("teacher.out", "save.denoiser")
    codes = {(p.code, p.node) for p in hcpgraph.validate(g, workspace=tmp_path)}
    assert ("E_STALE", "save") in codes
