"""`data.latents`: every picture through the VAE once, and batches as data.loader makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.data.latents import latents
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import Bucketed, ratio_bucket
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.model.load import load_model
from PIL import Image

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context


def bucketed(workspace: Path, **settings: Any) -> Bucketed:
    pictures = openmoji(context(workspace), groups=["animals-nature"], limit=11, size=32)
    return ratio_bucket(context(workspace), pictures, target_area=256, **{"crop": "center", **settings})


@pytest.mark.parametrize("leftover", ["pad_repeat", "drop", "partial"])
def test_batches_equal_those_of_pictures(workspace: Path, leftover: str) -> None:
    data = bucketed(workspace, leftover=leftover)
    vae = load_model(context(workspace), path="models:tiny").vae
    cached = latents(context(workspace), data, vae)
    plain, made = Loader(data, 4, seed=3), LatentLoader(cached, 4, seed=3)
    assert made.batches_per_epoch == plain.batches_per_epoch
    for step in range(2 * plain.batches_per_epoch + 1):
        images, captions = plain.batch(step)
        batch = made.batch(step)
        assert batch.captions == captions and batch.latents.keys == images.keys
        expected = encode_image(context(workspace), vae, images, mode="mean")
        torch.testing.assert_close(batch.latents.data, expected.data, rtol=1e-4, atol=1e-5)


def test_random_crops_cannot_be_encoded_once(workspace: Path) -> None:
    vae = load_model(context(workspace), path="models:tiny").vae
    with pytest.raises(GraphError, match="cropped anew") as error:
        latents(context(workspace), bucketed(workspace, crop="random"), vae)
    assert error.value.problem.code == "E_CROP"


def cache_graph() -> Graph:
    g = Graph()
    g.add("data.folder", "pictures", path="data:pictures", captions="filename")
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.connect("pictures.out", "buckets.dataset")
    g.add("model.load", "model", path="models:tiny")
    g.add("data.latents", "latents")
    g.connect("buckets.out", "latents.data")
    g.connect("model.vae", "latents.vae")
    return g


def test_what_was_encoded_is_kept_on_disk_until_a_picture_or_the_vae_changes(workspace: Path) -> None:
    folder = workspace / "data/pictures"
    folder.mkdir(parents=True)
    for color in ("red", "green", "blue"):
        Image.new("RGB", (16, 16), color).save(folder / f"{color}.png")
    first = hcpgraph.run(cache_graph(), workspace=workspace, targets=["latents"])
    assert first.status == "done", first.failed
    again = hcpgraph.run(cache_graph(), workspace=workspace, targets=["latents"])
    assert "latents" in first.ran and "latents" in again.cached
    before, after = first.outputs["latents.out"], again.outputs["latents.out"]
    assert before.captions == after.captions == ("blue", "green", "red")
    assert before.members == after.members and torch.equal(before.latents[0], after.latents[0])

    Image.new("RGB", (16, 16), "white").save(folder / "red.png")
    changed = hcpgraph.run(cache_graph(), workspace=workspace, targets=["latents"])
    assert "latents" in changed.ran
    different = (changed.outputs["latents.out"].latents[0] != before.latents[0]).flatten(1).any(dim=1)
    assert different.tolist() == [False, False, True]

    config = workspace / "models/tiny/vae/config.json"
    config.write_text(config.read_text().replace("0.18215", "0.5"))
    rescaled = hcpgraph.run(cache_graph(), workspace=workspace, targets=["latents"])
    assert "latents" in rescaled.ran
    ratio = rescaled.outputs["latents.out"].latents[0] / changed.outputs["latents.out"].latents[0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.5 / 0.18215))
