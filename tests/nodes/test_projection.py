"""Projections against those of diffusers for IP-Adapter, and their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.project import project as project_part
from hcpgraph_nodes.feature.project import project
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.projection.load import load_projection
from hcpgraph_nodes.projection.network import CONFIG
from hcpgraph_nodes.projection.new import new_projection
from hcpgraph_nodes.projection.resampler import new_resampler
from hcpgraph_nodes.projection.save import save_projection
from hcpgraph_nodes.types import Conditioning, Features
from safetensors.torch import load_file, save_file
from torch import nn

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context


def data(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def fill(theirs: nn.Module, ours: nn.Module) -> None:
    """Equal weights: the tensors of both stand in one order."""
    own = list(ours.state_dict().values())
    assert [value.shape for value in own] == [value.shape for value in theirs.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), own, strict=True)))


def test_of_a_vector_it_makes_the_tokens_of_ip_adapter(tmp_path: Path) -> None:
    from diffusers.models.embeddings import ImageProjection

    made = new_projection(context(tmp_path), width=12, out_width=8, tokens=4, seed=3)
    theirs = ImageProjection(12, 8, 4)
    fill(theirs, made.root.module)
    pooled = data(2, 12)
    found = project(Features(pooled, keys=(("a", 0, 0), ("b", 0, 0))), made)
    torch.testing.assert_close(found.data, theirs(pooled))
    assert found.data.shape == (2, 4, 8) and found.keys and found.grid is None
    with pytest.raises(GraphError, match="E_FEATURES"):
        project(Features(data(2, 3, 12)), made)
    with pytest.raises(GraphError, match="E_FEATURES"):
        project(Features(data(2, 8)), made)


def test_of_tokens_it_makes_those_of_the_full_version(tmp_path: Path) -> None:
    from diffusers.models.embeddings import IPAdapterFullImageProjection

    made = new_projection(context(tmp_path), width=12, out_width=8, hidden=[12])
    theirs = IPAdapterFullImageProjection(12, 8)
    fill(theirs, made.root.module)
    tokens = data(2, 6, 12)
    found = project(Features(tokens, (2, 3)), made)
    torch.testing.assert_close(found.data, theirs(tokens))
    assert found.grid == (2, 3)


def test_that_of_repa_has_two_hidden_layers(tmp_path: Path) -> None:
    made = new_projection(
        context(tmp_path), width=6, out_width=5, hidden=[16, 16], activation="silu", norm=False, seed=1
    )
    first, second, third = (each for each in made.root.module.modules() if isinstance(each, nn.Linear))
    x = data(2, 3, 6)
    expected = third(nn.functional.silu(second(nn.functional.silu(first(x)))))
    torch.testing.assert_close(project(Features(x), made).data, expected)


def test_the_resampler_is_that_of_ip_adapter_plus(tmp_path: Path) -> None:
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    sizes: dict[str, Any] = {"tokens": 5, "hidden": 16, "depth": 2, "heads": 2, "head_width": 8}
    made = new_resampler(context(tmp_path), width=12, out_width=8, **sizes)
    theirs = IPAdapterPlusImageProjection(12, 8, 16, 2, 8, 2, 5)
    fill(theirs, made.root.module)
    tokens = data(2, 7, 12)
    torch.testing.assert_close(project(Features(tokens, (1, 7)), made).data, theirs(tokens))
    assert project(Features(data(2, 12)), made).data.shape == (2, 5, 8)
    masked = Conditioning.of(tokens, mask=torch.ones(2, 7, dtype=torch.bool))
    with pytest.raises(GraphError, match="E_PARTS"):
        project_part(masked, made)


def test_a_part_of_a_conditioning_is_projected(tmp_path: Path) -> None:
    """Mask and other parts stay; gradients reach the weights and what came in."""
    made = trainable(context(tmp_path), new_projection(context(tmp_path), width=4, out_width=6, norm=False))
    text, mask = data(2, 3, 4).requires_grad_(), torch.tensor([[True] * 3, [True, False, False]])
    given = Conditioning.of(text, data(2, 4, seed=1), mask=mask)
    found = project_part(given, made.model)
    weight = made.params.groups[0]["params"]["layers.0.weight"]
    bias = made.params.groups[0]["params"]["layers.0.bias"]
    assert torch.equal(found.data, text @ weight.T + bias)
    assert torch.equal(found.masks["text"], mask) and found.pooled is given.pooled
    gradients = torch.autograd.grad(found.data.sum(), (weight, text))
    torch.testing.assert_close(gradients[0], text.detach().sum((0, 1)).expand(6, 4))
    torch.testing.assert_close(gradients[1], weight.detach().sum(0).expand(2, 3, 4))
    assert project_part(given, made.model, part="pooled").parts["pooled"].shape == (2, 6)
    with pytest.raises(GraphError, match="E_PARTS"):
        project_part(given, made.model, part="image_embeds")


@pytest.mark.parametrize("kind", ["mlp", "resampler"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_files_hold_all_of_it(kind: str, precision: str, tmp_path: Path) -> None:
    ctx = context(tmp_path, precision=precision)
    sizes: dict[str, Any] = {"hidden": 8, "heads": 2, "head_width": 4, "depth": 1, "tokens": 3}
    made = (
        new_projection(ctx, width=6, out_width=4, hidden=[5], tokens=3)
        if kind == "mlp"
        else new_resampler(ctx, width=6, out_width=4, **sizes)
    )
    assert all(value.dtype is torch.float32 for value in made.root.module.parameters())
    save_projection(ctx, made, path="out:p.safetensors")
    again = load_projection(ctx, path="out:p.safetensors")
    assert not again.root.loaded and not again.trainable and again.config == made.config
    features = Features(data(2, 6))
    assert torch.equal(project(features, again).data, project(features, made).data)
    other = new_projection(ctx, width=6, out_width=4, hidden=[5], tokens=3, seed=1)
    assert not torch.equal(project(features, other).data, project(features, made).data)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "{",
        "[" * 5000,
        json.dumps({"kind": "mlp", "width": 10**9, "out_width": 1}),
        json.dumps({"kind": "os", "width": 1, "out_width": 1}),
        json.dumps({"kind": "mlp", "width": 6, "out_width": 4, "evil": 1}),
    ],
)
def test_files_that_describe_none_are_refused(said: str | None, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    save_file(
        {"layers.0.weight": torch.ones(4, 6)}, tmp_path / "models/p.safetensors", {} if said is None else {CONFIG: said}
    )
    with pytest.raises(GraphError, match="E_WEIGHTS"):
        load_projection(context(tmp_path), path="models:p.safetensors")


def test_files_of_other_sizes_are_refused_at_first_use(tmp_path: Path) -> None:
    save_projection(
        context(tmp_path), new_projection(context(tmp_path), width=6, out_width=4), path="out:p.safetensors"
    )
    file = tmp_path / "out/p.safetensors"
    large = json.dumps({"kind": "mlp", "width": 16384, "out_width": 16384, "tokens": 1024})
    save_file(load_file(file), tmp_path / "out/q.safetensors", {CONFIG: large})
    made = load_projection(context(tmp_path), path="out:q.safetensors")
    with pytest.raises(GraphError, match="E_WEIGHTS"):
        _ = made.root.module


def test_a_graph_trains_it_and_what_it_gives_is_saved(tmp_path: Path) -> None:
    """REPA's projector without a denoiser: pixels' features are brought to those of another encoder."""
    g = hcpgraph.Graph()
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8, "image_size": 16}
    wide = {**tiny, "hidden_size": 24}
    g.add("data.openmoji", "pictures", size=16, groups=["animals-nature"], limit=4)
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.add("data.loader", "loader", batch_size=4)
    g.add("image_encoder.new", "eye", encoder="dinov2", config=tiny)
    g.add("image_encoder.new", "teacher", encoder="dinov2", config=wide, seed=1)
    g.add("projection.new", "head", width=16, out_width=24, hidden=[32], activation="silu", norm=False)
    g.add("model.trainable", "whole")
    g.add("optim.adamw", "adamw", lr=1e-2)
    g.add("train.loop", "train", steps=12)
    g.add("flow.after", "after")
    g.add("projection.save", "save")
    inside: list[tuple[str, str, dict[str, Any]]] = [
        ("data.batch", "batch", {}),
        ("image.encode", "seen", {"fit": "as_is", "tokens": "patches"}),
        ("image.encode", "aim", {"fit": "as_is", "tokens": "patches"}),
        ("feature.project", "project", {}),
        ("feature.distance", "apart", {"kind": "cosine"}),
        ("loss.mean", "mean", {}),
    ]
    for type_id, id, settings in inside:
        g.add(type_id, id, inside="train", settings=settings)
    for wire in [
        "pictures.out buckets.dataset",
        "buckets.out loader.data",
        "head.out whole.model",
        "whole.params adamw.params",
        "adamw.out train.optimizer",
        "loader.out batch.loader",
        "eye.out seen.encoder",
        "teacher.out aim.encoder",
        "batch.images seen.images",
        "batch.images aim.images",
        "seen.tokens project.features",
        "whole.model project.projection",
        "project.out apart.features",
        "aim.tokens apart.target",
        "apart.out mean.loss",
        "mean.out train.loss",
        "whole.model after.value",
        "train.trained after.trained",
        "after.out save.projection",
    ]:
        g.connect(*wire.split())
    result = hcpgraph.run(g, targets=["train.losses", "save"], workspace=tmp_path)
    assert result.status == "done", result.failed
    losses = [value for _, value in result.outputs["train.losses"].series["loss"]]
    assert losses[-1] < 0.7 * losses[0]
    assert load_projection(context(tmp_path), path="out:projection.safetensors").config["hidden"] == [32]
