"""`data.latents`: which weights its items were made by, and that those are not read once all is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.data.latent_batch import latent_batch
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.model.handles import Vae
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.types import Images
from hcpgraph_nodes.vae.new import new_vae

import hcpgraph
from hcpgraph import Graph
from hcpgraph.testing import context

from .latent_sets import bucketed, encode, folder, opened

__all__ = ["folder"]  # a fixture


# ------------------------------------------------------------------------------------------------------- the encoder


def graph(**settings: Any) -> Graph:
    g = Graph()
    g.add("data.folder", "pictures", path="data:pictures", captions="filename")
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.connect("pictures.out", "buckets.dataset")
    g.add("model.load", "model", path="models:tiny", **settings)
    g.add("data.latents", "latents")
    g.connect("buckets.out", "latents.data")
    g.connect("model.vae", "latents.vae")
    return g


def ran(workspace: Path, g: Graph) -> tuple[str, hcpgraph.Result]:
    events: list[dict[str, Any]] = []
    result = hcpgraph.run(g, workspace=workspace, targets=["latents", "model.vae"], on_event=events.append)
    assert result.status == "done", result.failed
    told = [e["message"] for e in events if e["kind"] == "log" and e["node"] == "latents"]
    return told[0], result


def test_weights_count_and_are_not_read_once_all_is_cached(workspace: Path, folder: Path) -> None:
    told, first = ran(workspace, graph())
    root = first.outputs["model.vae"].root
    assert told == "6 of 6 encoded" and root.reads == 1 and not root.loaded, "it was read for this alone, and has left"
    told, second = ran(workspace, graph())
    assert told == "0 of 6 encoded" and second.outputs["model.vae"].root.reads == 0
    told, other = ran(workspace, graph(checkpointing=True))
    assert told == "0 of 6 encoded" and other.outputs["model.vae"].root.reads == 1, (
        "read to know that they are the same"
    )
    assert ran(workspace, graph(checkpointing=True))[1].outputs["model.vae"].root.reads == 0

    config = workspace / "models/tiny/vae/config.json"
    config.write_text(config.read_text().replace("0.18215", "0.5"))
    told, scaled = ran(workspace, graph())
    before, after = (
        latent_batch(context(workspace), LatentLoader(result.outputs["latents.out"], 6, shuffle=False)).latents.data
        for result in (first, scaled)
    )
    assert told == "0 of 6 encoded", "latents are scaled after the cache"
    torch.testing.assert_close(after / before, torch.full_like(after, 0.5 / 0.18215))

    from safetensors.torch import load_file, save_file

    file = workspace / "models/tiny/vae/diffusion_pytorch_model.safetensors"
    state = load_file(file)
    state["encoder.conv_in.bias"] += 0.1
    save_file(state, file, {"format": "pt"})
    assert ran(workspace, graph())[0] == "6 of 6 encoded"


def test_a_trained_vae_is_not_taken_for_the_old_one(workspace: Path, folder: Path) -> None:
    data, vae = bucketed(folder), opened(workspace)
    vae.root.origin = "the key of its node"
    encode(workspace, data, vae)
    tuned = trainable(context(workspace), vae, layers=["encoder.conv_in"])
    assert encode(workspace, data, tuned.model)[1] == "0 of 6", "not trained yet"
    with torch.no_grad():
        next(iter(tuned.params.groups[0]["params"].values())).add_(0.1)
    assert encode(workspace, data, tuned.model)[1] == "6 of 6"
    assert tuned.model.root.loaded, "its weights are in memory alone"
    fresh = opened(workspace)
    fresh.root.origin = vae.root.origin
    assert encode(workspace, data, fresh)[1] == "0 of 6" and fresh.root.reads == 0


def mean(workspace: Path, vae: Vae) -> torch.Tensor:
    pictures = Images(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    return encode_image(context(workspace), vae, pictures, mode="mean").data


def test_a_released_root_reads_the_same_weights(workspace: Path) -> None:
    for vae in (opened(workspace), new_vae(context(workspace), channels=[8, 16], seed=3)):
        assert not vae.root.release()
        first = mean(workspace, vae)
        with vae.active():
            assert not vae.root.release(), "in use"
        assert vae.root.release() and not vae.root.loaded
        assert torch.equal(mean(workspace, vae), first) and vae.root.reads == 2
        twin = vae.copy({})
        assert not twin.root.release(), "a copy is in memory alone"
