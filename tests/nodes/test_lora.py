"""plugin.lora: what it starts as, what it trains, what its dropout drops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps

from hcpgraph.testing import context

UNET_LAYERS = [
    r"re:.*attn[12]",
    r"re:.*\.ff\.net",
    r"re:.*resnets\.\d+\.(conv|time_emb)",
    r"re:.*proj_(in|out)$",
    "conv_in",
]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))


def fill(adapted, seed: int):
    with torch.no_grad():
        for index, parameter in enumerate(adapted.adapter.plugin.parameters()):
            parameter.copy_(0.2 * random(*parameter.shape, seed=1000 * seed + index))
    return adapted


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


def test_starts_as_the_identity_and_is_seeded_per_layer(workspace: Path, model) -> None:
    base = predict(model.denoiser, NOISY, TIME, TEXT).data
    first = lora(context(workspace, node="a", seed=3), model.denoiser, layers=UNET_LAYERS, rank=4)
    again = lora(context(workspace, node="a", seed=3), model.denoiser, layers=["re:.*attn2"], rank=4)
    other = lora(context(workspace, node="a", seed=4), model.denoiser, layers=["re:.*attn2"], rank=4)
    assert torch.equal(predict(first.model, NOISY, TIME, TEXT).data, base)
    for path, block in again.adapter.plugin.blocks.items():
        assert torch.equal(block.down.weight, first.adapter.plugin.blocks[path].down.weight)
        assert not torch.equal(block.down.weight, other.adapter.plugin.blocks[path].down.weight)
        bound = (6 / (1 + 5) / block.down.weight[0].numel()) ** 0.5
        assert bound * 0.5 < block.down.weight.abs().max() <= bound


def test_default_layers_are_the_attention_projections(workspace: Path, model) -> None:
    unet = lora(context(workspace), model.denoiser).adapter.plugin.blocks
    assert len(unet) == 4 * 8  # four transformer blocks, two attentions of q, k, v, out
    text = lora(context(workspace), model.text_encoder).adapter.plugin.blocks
    assert len(text) == 3 * 4 and all(path.startswith("text_model.encoder.layers.") for path in text)


def test_params_carry_file_names_and_the_learning_rate(workspace: Path, model) -> None:
    result = lora(context(workspace, node="style"), model.denoiser, layers=["conv_in"], rank=2, lr=1e-3)
    (group,) = result.params.groups
    assert group["name"] == "style" and group["lr"] == 1e-3
    assert list(group["params"]) == ["conv_in.down.weight", "conv_in.up.weight"]
    assert all(p.requires_grad for p in group["params"].values())


def test_dropout_acts_on_the_branch_only(workspace: Path, model) -> None:
    result = fill(lora(context(workspace), model.denoiser, layers=["re:.*attn1"], rank=2, dropout=0.99), 1)
    base = predict(model.denoiser, NOISY, TIME, TEXT).data
    plugin = result.adapter.plugin.train()
    torch.manual_seed(0)
    assert (predict(result.model, NOISY, TIME, TEXT).data - base).abs().max() > 0
    plugin.eval()
    evaluated = predict(result.model, NOISY, TIME, TEXT).data
    assert torch.equal(evaluated, predict(result.model, NOISY, TIME, TEXT).data)
