"""Training words: they alone move, each with its own learning rate, and together with LoRAs (pivotal tuning)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.optim.adamw import adamw
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions
from hcpgraph_nodes.words.new import new

import hcpgraph
from hcpgraph.testing import context

from ..graphs.hand_written import drawn

WIRES = [("train.trained", "text_after.trained"), ("train.trained", "unet_after.trained")]


def graph(steps: int, *, loras: bool = False, trained: bool = True, **settings):
    """The training step of `drawn` with a word instead of the UNet, and with `loras` on both networks."""
    g = drawn(steps)
    g.remove("whole")
    g.set("pictures.template", "a <w> {name}")
    g.add("word.new", "word", **{"name": "<w>", "vectors": 2, "init": "cat", "lr": 0.1, **settings})
    g.add("flow.after", "text_after")
    g.add("flow.after", "unet_after")
    text, unet = "word.model", "new.denoiser"
    g.connect("new.text_encoder", "word.model")
    if loras:
        text, unet = "text_lora.model", "unet_lora.model"
        for node, source in (("text_lora", "word.model"), ("unet_lora", "new.denoiser")):
            g.add("plugin.lora", node, rank=2)
            g.connect(source, f"{node}.model")
    wires = [
        (text, "text.text_encoder"),
        (unet, "predict.denoiser"),
        (text, "text_after.value"),
        (unet, "unet_after.value"),
    ]
    if trained:
        params = [("word.params", "adamw.params")]
        params += [(f"{node}.params", "adamw.params") for node in ("text_lora", "unet_lora") if loras]
        wires += [*params, *WIRES]
    for source, target in wires:
        g.connect(source, target)
    return g


def weights(handle) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in handle.root.module.state_dict().items()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory):
    """The model that the graphs make, and the first vectors of the word."""
    folder = tmp_path_factory.mktemp("base")
    result = hcpgraph.run(graph(1), targets=["new", "word"], workspace=folder)
    assert result.status == "done", result.failed
    found = {part: weights(result.outputs[f"new.{part}"]) for part in ("text_encoder", "denoiser")}
    return found, result.outputs["word.word"].vectors()[0].clone()


def ran(g, folder: Path):
    assert [p for p in hcpgraph.validate(g, workspace=folder) if p.severity == "error"] == []
    result = hcpgraph.run(g, targets=["text_after", "unet_after"], workspace=folder)
    assert result.status == "done", result.failed
    return result.outputs["text_after.out"], result.outputs["unet_after.out"]


def unchanged(handle, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in weights(handle).items())


def test_one_step_moves_the_word_alone(base, tmp_path: Path) -> None:
    before, start = base
    text, unet = ran(graph(1), tmp_path)
    (plugin,) = text.stack
    (vectors,) = plugin.parameters()
    assert unchanged(text, before["text_encoder"]) and unchanged(unet, before["denoiser"])
    assert (vectors - start).abs().min() > 0 and (vectors - start).abs().max() <= 0.11, "a step of Adam is about lr"


def test_pivotal_tuning_trains_the_word_and_both_loras(base, tmp_path: Path) -> None:
    before, start = base
    text, unet = ran(graph(2, loras=True), tmp_path)
    word, text_lora = text.stack
    (unet_lora,) = unet.stack
    assert unchanged(text, before["text_encoder"]) and unchanged(unet, before["denoiser"])
    assert (next(word.parameters()) - start).abs().min() > 0
    for plugin in (text_lora, unet_lora):
        ups = [block.up.weight for block in plugin.blocks.values()]
        assert ups and all(up.abs().max() > 0 for up in ups), "the second half starts as zeros"


def test_three_groups_with_gradients_and_a_frozen_table(tmp_path: Path, tiny_sdxl_folder: Path) -> None:
    """One optimizer for two words, in both networks, and a LoRA; every group has its own numbers."""
    shutil.copytree(tiny_sdxl_folder, tmp_path / "models/sdxl")
    base = load_model(context(tmp_path), path="models:sdxl").text_encoder
    one = new(context(tmp_path, node="one"), base, name="<a>", vectors=2, init="cat", lr=0.5, weight_decay=0.0)
    two = new(context(tmp_path, node="two"), one.model, name="<b>", init="dog")
    style = lora(context(tmp_path, node="style"), two.model, layers=["re:text_encoder_2.*v_proj$"], rank=2, lr=0.25)
    optimizer = adamw((one.params, two.params, style.params), lr=0.125, weight_decay=0.0625).optimizer
    groups = optimizer.param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(0.5, 0.0), (0.125, 0.0625), (0.25, 0.0625)]
    assert [len(g["params"]) for g in groups[:2]] == [2, 2]
    with torch.no_grad():
        for block in style.adapter.plugin.blocks.values():
            block.up.weight.fill_(0.1)
    before = weights(base)
    made = encode_text(style.model, Captions(("a <a> with <b>",)))
    (made.data.square().mean() + made.pooled.square().mean()).backward()
    for group in groups:
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in group["params"])
    assert all(parameter.grad is None for parameter in base.root.module.parameters())
    optimizer.step()
    assert unchanged(base, before)


def test_a_word_that_is_not_in_a_prompt_gets_no_gradient(tmp_path: Path, base) -> None:
    g = graph(1, weight_decay=0.0)
    g.set("pictures.template", "{name}")
    text, _ = ran(g, tmp_path)
    assert torch.equal(next(text.stack[0].parameters()), base[1])


def test_the_moving_average_of_a_word(tmp_path: Path, base) -> None:
    g = graph(3)
    g.add("optim.ema", "ema", decay=0.5)
    g.add("train.averaged", "averaged")
    g.disconnect("train.optimizer.0")
    for source, target in [
        ("adamw.out", "ema.optimizer"),
        ("ema.out", "train.optimizer"),
        ("word.model", "averaged.value"),
        ("train.trained", "averaged.trained"),
    ]:
        g.connect(source, target)
    result = hcpgraph.run(g, targets=["averaged", "text_after"], workspace=tmp_path)
    assert result.status == "done", result.failed
    mean, last = result.outputs["averaged.out"], result.outputs["text_after.out"]
    text = Captions(("a <w>",))
    assert not mean.trainable and last.trainable
    assert not torch.equal(encode_text(mean, text).data, encode_text(last, text).data)


def test_one_word_in_two_optimizers_is_refused(tmp_path: Path) -> None:
    g = graph(1)
    g.add("optim.adamw", "other")
    g.connect("word.params", "other.params")
    g.connect("other.out", "train.optimizer")
    result = hcpgraph.run(g, targets=["text_after"], workspace=tmp_path)
    problem = result.failed["train"].problem
    assert problem.code == "E_PARAMS" and "trained by two of the optimizers" in problem.message


def test_training_is_saved_and_used_again(tmp_path: Path) -> None:
    g = graph(2)
    g.add("word.save", "save")
    g.add("flow.after", "learned")
    for source, target in [
        ("word.word", "learned.value"),
        ("train.trained", "learned.trained"),
        ("learned.out", "save.word"),
    ]:
        g.connect(source, target)
    result = hcpgraph.run(g, targets=["save", "text_after"], workspace=tmp_path)
    assert result.status == "done", result.failed
    again = hcpgraph.Graph()
    again.add("model.new", "new", settings=dict(g.nodes["new"].settings))
    again.add("word.load", "word", path=result.outputs["save.out"].uri)
    again.connect("new.text_encoder", "word.model")
    loaded = hcpgraph.run(again, targets=["word"], workspace=tmp_path)
    assert loaded.status == "done", loaded.failed
    text = Captions(("a <w>",))
    ours, theirs = result.outputs["text_after.out"], loaded.outputs["word.model"]
    assert torch.equal(encode_text(ours, text).data, encode_text(theirs, text).data)
    assert hcpgraph.load(tmp_path / "out" / "w.safetensors").nodes.keys() == g.nodes.keys()
