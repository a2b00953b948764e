"""plugin.lora, plugin.loha, plugin.lokr, plugin.full and plugin.merge on a tiny model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.plugins.custom import custom_plugin
from hcpgraph_nodes.plugins.full import full
from hcpgraph_nodes.plugins.loha import loha as loha_node
from hcpgraph_nodes.plugins.lokr import lokr
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.merge import merge
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Conditioning, NoisyLatents, Target, Timesteps

import hcpgraph
from hcpgraph import GraphError, GraphErrors
from hcpgraph.checking.settings import check
from hcpgraph.testing import context

from .plugin_page import Scale, random

NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))
LAYERS = [r"re:.*attn[12]", r"re:.*resnets\.0\.conv", "conv_in", r"re:.*proj_in$", r"re:.*downsamplers"]
NODES = {
    "lora": (lora, {"rank": 2, "alpha": 1.5}),
    "lora svd": (lora, {"rank": 0.1, "alpha": None, "init": "svd"}),
    "dora": (lora, {"rank": 2, "decompose": True, "dropout": 0.1}),
    "loha": (loha_node, {"rank": 2, "alpha": 1.5}),
    "loha dora": (loha_node, {"rank": 2, "decompose": True}),
    "lokr": (lokr, {"rank": 2, "factor": 4, "alpha": None}),
    "lokr both": (lokr, {"rank": 1, "factor": None, "decompose_both": True, "decompose": True}),
    "full": (full, {"dropout": 0.1}),
}


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


def attach(workspace: Path, handle, name: str, node: str = "n", **more):
    make, options = NODES[name]
    return make(context(workspace, node=node), handle, **{"layers": LAYERS, **options, **more})


def stir(result, seed: int = 1):
    """Other weights than at the start."""
    with torch.no_grad():
        for number, parameter in enumerate(result.adapter.plugin.parameters()):
            parameter.mul_(1.1).add_(0.1 * random(*parameter.shape, seed=1000 * seed + number))
    return result


def predicted(handle) -> torch.Tensor:
    return predict(handle, NOISY, TIME, TEXT).data


@pytest.mark.parametrize("name", NODES)
def test_the_start_is_the_model_bit_for_bit_and_removal_gives_it_back(workspace: Path, model, name: str) -> None:
    base = predicted(model.denoiser)
    result = attach(workspace, model.denoiser, name)
    plugin = result.adapter.plugin
    assert len(plugin.blocks) > 15
    plugin.train()
    assert torch.equal(predicted(result.model), base)
    plugin.eval()
    assert torch.equal(predicted(result.model), base)
    stir(result)
    changed = predicted(result.model)
    assert (changed - base).abs().max() > 1e-2
    assert torch.equal(predicted(result.model.without(plugin)), base)
    assert torch.equal(predicted(model.denoiser), base)
    assert {id(p) for group in result.params.groups for p in group["params"].values()} == set(
        map(id, plugin.parameters())
    )


@pytest.mark.parametrize("name", NODES)
def test_layers_draw_from_streams_of_their_own(workspace: Path, model, name: str) -> None:
    every = attach(workspace, model.denoiser, name).adapter.plugin.blocks
    some = attach(workspace, model.denoiser, name, layers=["re:.*attn2"]).adapter.plugin.blocks
    for path, block in some.items():
        assert all(torch.equal(p, q) for p, q in zip(block.parameters(), every[path].parameters(), strict=True))


@pytest.mark.parametrize("name", NODES)
def test_recomputed_activations_give_the_same_gradients(workspace: Path, name: str) -> None:
    found = []
    for checkpointing in (False, True):
        base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
        result = stir(attach(workspace, base, name))
        result.adapter.plugin.train()
        torch.manual_seed(3)
        mse(predict(result.model, NOISY, TIME, TEXT), Target(random(2, 4, 8, 8, seed=2))).data.mean().backward()
        found.append([p.grad for p in result.adapter.plugin.parameters()])
        assert not any(p.requires_grad or p.grad is not None for p in base.root.module.parameters())
    assert all(torch.equal(a, b) and a.abs().max() > 0 for a, b in zip(*found, strict=True))


@pytest.mark.slow
def test_a_merged_model_gives_what_the_attached_adapters_give(workspace: Path, model) -> None:
    for name in NODES:
        result = stir(attach(workspace, model.denoiser, name))
        merged = merge(result.model)
        assert torch.allclose(predicted(merged), predicted(result.model), atol=2e-5), name
        assert merged.stack == () and not merged.trainable
    base = predicted(model.denoiser)
    before = {name: value.clone() for name, value in model.denoiser.root.module.state_dict().items()}
    handle = model.denoiser
    for number, name in enumerate(NODES):
        result = stir(attach(workspace, handle, name, node=name), number)
        result.adapter.plugin.set_hyper_params(strength=0.3)
        handle = result.model
    merged = merge(handle)
    assert torch.allclose(predicted(merged), predicted(handle), atol=1e-4)
    assert (predicted(merged) - base).abs().max() > 0.1
    assert torch.equal(predicted(model.denoiser), base)
    after = model.denoiser.root.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert merged.root.module.state_dict().keys() == before.keys() and not merged.root.tapped
    assert not any(p.requires_grad for p in merged.root.module.parameters())
    text = stir(lora(context(workspace), model.text_encoder, rank=2, alpha=1.0, bias=True)).model
    prompt = Captions(("a red cat",))
    assert torch.allclose(encode_text(merge(text), prompt).data, encode_text(text, prompt).data, atol=1e-5)


def test_merging_keeps_half_precision(workspace: Path) -> None:
    exact = load_model(context(workspace), path="models:tiny").denoiser
    half = replace(exact, root=Root(lambda: exact.copy({}).root.module, Placement(exact.device, torch.bfloat16)))
    result = stir(attach(workspace, half, "dora"))
    merged = merge(result.model)
    assert {p.dtype for p in merged.root.module.parameters()} == {torch.bfloat16}
    assert (predicted(merged) - predicted(result.model)).abs().max() < 0.1 * predicted(half).abs().max()


def test_what_cannot_be_merged(workspace: Path, model) -> None:
    scaled = custom_plugin(
        context(workspace), model.denoiser, PythonObject(Scale), layers=["conv_in"], trainable=False
    ).model
    homeless = lora(context(workspace), model.denoiser, layers=["re:.*attn1"], rank=2, bias=True).model
    for handle, text in ((scaled, "Scale at 'conv_in'"), (homeless, r"attn1\.to_q'.* and 4 more|attn1\.to_q'")):
        with pytest.raises(GraphError, match=text) as caught:
            merge(handle)
        assert caught.value.problem.code == "E_MERGE"
    with pytest.raises(GraphError) as caught:
        merge(3)
    assert caught.value.problem.code == "E_NO_MODEL"


def test_rank_is_a_number_or_a_share_of_the_outputs(workspace: Path, model) -> None:
    layers = model.denoiser.root.layers
    for name in ("lora", "loha", "lokr"):
        blocks = attach(workspace, model.denoiser, name, rank=0.2).adapter.plugin.blocks
        assert {path: block.rank for path, block in blocks.items()} == {
            path: max(1, round(0.2 * layers[path].weight.shape[0])) for path in blocks
        }
        assert len({block.rank for block in blocks.values()}) > 1
    blocks = attach(workspace, model.denoiser, "lora", rank=0.001, alpha=None).adapter.plugin.blocks
    assert {(block.rank, block.alpha, block.scale) for block in blocks.values()} == {(1, 1.0, 1.0)}
    blocks = attach(workspace, model.denoiser, "lora", rank=16, alpha=4.0, rslora=True).adapter.plugin.blocks
    assert {(block.rank, block.alpha, block.scale) for block in blocks.values()} == {(16, 16.0, 1.0)}
    for settings in ({"rank": 1.5}, {"ranks": {"conv_in": 2.5}}):
        with pytest.raises(GraphError, match=r"[12]\.5") as caught:
            attach(workspace, model.denoiser, "lora", **settings)
        assert caught.value.problem.code == "E_SETTING"


def test_ranks_and_rates_of_layers(workspace: Path, model) -> None:
    result = attach(
        workspace,
        model.denoiser,
        "lora",
        ranks={"re:.*attn1": 3, r"re:.*attn2\.to_k": 0.5, "conv_in": 7},
        lrs={r"re:down_blocks.*attn2": 1e-3, "re:.*attn1": 1e-2},
        lr=1e-5,
    )
    for path, block in result.adapter.plugin.blocks.items():
        outputs = model.denoiser.root.layers[path].weight.shape[0]
        wanted = 7 if path == "conv_in" else outputs // 2 if "attn2.to_k" in path else 3 if "attn1" in path else 2
        assert block.rank == wanted and block.down.weight.shape[0] == wanted
    rates = {name: group["lr"] for group in result.params.groups for name in group["params"]}
    for name, rate in rates.items():
        assert rate == (1e-2 if "attn1" in name else 1e-3 if re.match("down_blocks.*attn2", name) else 1e-5)
    assert len(result.params.groups) == 3


def test_all_entries_that_mean_no_layer_are_told_by_a_run(workspace: Path) -> None:
    g = hcpgraph.Graph()
    g.add("model.load", "model", path="models:tiny")
    g.add("plugin.lora", "lora", ranks={"conv_inn": 2, "re:.*attn9": 2})
    g.connect("model.denoiser", "lora.model")
    (error,) = hcpgraph.run(g, workspace=workspace, targets=["lora"]).failed.values()
    assert "'conv_inn'" in error.problem.message and "'re:.*attn9'" in error.problem.message
    assert (error.problem.code, error.problem.node, error.problem.port) == ("E_NO_LAYER", "lora", "ranks")


@pytest.mark.parametrize("setting", ["ranks", "lrs"])
def test_entries_that_mean_no_chosen_layer(workspace: Path, model, setting: str) -> None:
    with pytest.raises(GraphErrors) as caught:
        lora(
            context(workspace),
            model.denoiser,
            layers=["re:.*attn2"],
            **{setting: {"re:.*attn1": 1.0, "re:.*attn2": 1.0, "re:.*atn2": 1.0, "re:(": 1.0, r"re:.*attn2\.": 1.0}},
        )
    problems = caught.value.problems
    assert [problem.code for problem in problems] == ["E_NO_LAYER", "E_NO_LAYER", "E_SELECTOR", "E_LAYERS"]
    assert "none of the chosen" in problems[0].message and "attn2" in problems[0].hint and "attn2" in problems[1].hint
    assert r"'re:.*attn2' and 're:.*attn2\.' both mean" in problems[3].message and "16 layers" in problems[3].message


def test_full_and_lora_biases(workspace: Path, model) -> None:
    layers = model.denoiser.root.layers
    with_bias = full(context(workspace), model.denoiser, layers=["re:.*attn1"]).adapter.plugin.blocks
    assert {path for path, block in with_bias.items() if block.bias is not None} == {
        path for path in with_bias if layers[path].bias is not None
    }
    assert any("to_out" in path for path in with_bias) and with_bias.keys() > {p for p in with_bias if "to_out" in p}
    without = full(context(workspace), model.denoiser, layers=["re:.*attn1"], bias=False).adapter.plugin.blocks
    assert all(block.bias is None for block in without.values())
    custom = full(context(workspace), model.denoiser).adapter.plugin.blocks
    assert len(custom) == 8 and all(path.endswith(("attn2.to_k", "attn2.to_v")) for path in custom)
    blocks = lora(context(workspace), model.denoiser, rank=2, bias=True).adapter.plugin.blocks
    assert all("diff_b" in block.tensors() for block in blocks.values())


def test_lokr_sizes(workspace: Path, model) -> None:
    whole = attach(workspace, model.denoiser, "lokr", rank=64).adapter.plugin.blocks
    assert all(block.names == ("lokr_w1", "lokr_w2") and block.scale == 1 for block in whole.values())
    parts = attach(workspace, model.denoiser, "lokr", rank=1).adapter.plugin.blocks
    assert all(block.split == (False, True) for block in parts.values())
    assert parts["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"].lokr_w1.shape == (4, 4)


def test_settings_stay_plain_numbers(workspace: Path) -> None:
    spec = hcpgraph.default_registry().specs["plugin.lora"]
    good = [{"rank": 16, "alpha": 16}, {"rank": 0.25, "alpha": None}, {"ranks": {"re:.*": 4, "conv_in": 0.5}}]
    assert not [problem for settings in good for problem in check(spec, "lora", settings, ())]
    for bad in ({"rank": 0}, {"rank": "16"}, {"ranks": {"re:.*": "4"}}, {"lrs": [["re:.*", 1]]}, {"lrs": {"re:.*": 0}}):
        assert [problem.code for problem in check(spec, "lora", bad, ())] == ["E_SETTING"]
