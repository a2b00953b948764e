"""`data.latents`: every picture through the VAE once, again exactly when it must, and batches as data.loader's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.latent_batch import latent_batch
from hcpgraph_nodes.data.latent_conditions import latent_conditions
from hcpgraph_nodes.data.latent_loader import LatentLoader, latent_loader
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset
from hcpgraph_nodes.data.transforms.transform import Transform, Views
from hcpgraph_nodes.diffusion.encode_image import encode_image
from PIL import Image

from hcpgraph import GraphError
from hcpgraph.testing import context

from .latent_sets import SIZES, bucketed, dataset, encode, folder, opened, painted

__all__ = ["folder"]  # a fixture


# ---------------------------------------------------------------------------------- equal to encoding in every step


@pytest.mark.parametrize("keep", ["disk", "ram"])
@pytest.mark.parametrize("leftover", ["pad_repeat", "drop", "partial", "merge"])
def test_batches_equal_those_of_pictures(workspace: Path, folder: Path, leftover: str, keep: str) -> None:
    data = bucketed(folder, dataset(folder, masks=True, edges=True), leftover=leftover, num_buckets=3)
    vae = opened(workspace)
    cached, _ = encode(workspace, data, vae, keep=keep, batch_size=2 if leftover == "merge" else 0)
    plain, made = Loader(data, 2, seed=3), latent_loader(context(workspace), cached, batch_size=2, seed=3)
    assert (made.batches_per_epoch, made.samples) == (plain.batches_per_epoch, plain.samples)
    for step in range(2 * plain.batches_per_epoch + 1):
        expected = plain.batch(step)
        batch = latent_batch(context(workspace, step=step), made, mode="mean")
        assert batch.captions == expected.captions
        assert batch.latents.keys == batch.masks.keys == batch.sizes.keys == expected.images.keys
        mean = encode_image(context(workspace), vae, expected.images, mode="mean").data
        torch.testing.assert_close(batch.latents.data, mean, rtol=1e-4, atol=1e-5)
        area = torch.nn.functional.avg_pool2d(expected.masks.data, 2)  # the tiny VAE halves the sides
        torch.testing.assert_close(batch.masks.data, area)
        assert torch.equal(batch.sizes.data, expected.sizes.data)
        conditions = latent_conditions(context(workspace, step=step), made)
        assert expected.conditions is not None and torch.equal(conditions.data, expected.conditions.data)


def test_every_epoch_draws_anew_what_a_picture_s_own_encoding_draws(workspace: Path, folder: Path) -> None:
    """A sample of the posterior by sample key: equal to encoding in the step, and to itself in a resumed run."""
    data = bucketed(folder, num_buckets=1)
    cached, _ = encode(workspace, data)
    vae = opened(workspace)
    plain, made = Loader(data, 6, seed=3), LatentLoader(cached, 6, seed=3)
    epochs = []
    for step in (0, 1):
        inside = context(workspace, step=step, node="encode")
        drawn = latent_batch(inside, made).latents
        expected = encode_image(context(workspace, step=step, node="encode"), vae, plain.batch(step).images)
        torch.testing.assert_close(drawn.data, expected.data, rtol=1e-4, atol=1e-5)
        resumed = latent_batch(context(workspace, step=step, node="encode"), LatentLoader(cached, 6, seed=3))
        assert torch.equal(resumed.latents.data, drawn.data)
        mean = latent_batch(inside, made, mode="mean").latents.data
        assert (drawn.data - mean).abs().max() > 1e-4
        order = np.argsort([str(data.dataset.samples[i].id) for i in made.order.group(step)[0].samples])
        epochs.append((drawn.data[order], mean[order]))
    assert torch.equal(epochs[0][1], epochs[1][1]) and not torch.equal(epochs[0][0], epochs[1][0])


def test_ranks_take_the_same_samples_as_with_pictures(workspace: Path, folder: Path) -> None:
    data = bucketed(folder, num_buckets=1)
    cached, _ = encode(workspace, data)
    for rank in range(2):
        plain, made = (
            of(of_data, 2, seed=1, rank=rank, world=2) for of, of_data in ((Loader, data), (LatentLoader, cached))
        )
        for step in range(4):
            assert made.batch(step).captions == plain.batch(step).captions


def test_samples_without_masks_count_once_and_without_conditions_say_so(workspace: Path, folder: Path) -> None:
    made = LatentLoader(encode(workspace, bucketed(folder, num_buckets=1))[0], 2)
    batch = made.batch(0)
    assert batch.masks.data.shape == (2, 1, *batch.posterior.mean.shape[2:]) and (batch.masks.data == 1).all()
    with pytest.raises(GraphError, match=r"E_DATA .*the data set 'zoo' has no conditions"):
        latent_conditions(context(workspace), made)


def test_merging_needs_the_batch_size(workspace: Path, folder: Path) -> None:
    data = bucketed(folder, leftover="merge", num_buckets=3)
    with pytest.raises(GraphError, match="E_DATA leftovers are merged"):
        encode(workspace, data)
    with pytest.raises(GraphError, match="E_DATA leftovers were merged for batches of 2, not of 4"):
        LatentLoader(encode(workspace, data, batch_size=2)[0], 4)


# ----------------------------------------------------------------------------- what changes is encoded again, no more


def rewritten(folder: Path) -> None:
    os.utime(folder / "2.png", (1, 1))
    for kind in ("pictures", "masks", "edges"):
        (folder.parent / kind / "3.png").rename(folder.parent / kind / "x.png")


def added(folder: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(folder / "new.png")


def masked(folder: Path) -> None:
    Image.new("L", SIZES[1], 60).save(folder.parent / "masks/1.png")


def edged(folder: Path) -> None:
    Image.new("RGB", SIZES[1], "red").save(folder.parent / "edges/1.png")


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda folder: None, "0 of 6"),
        (rewritten, "0 of 6"),
        (painted, "1 of 6"),
        (added, "1 of 7"),
        (lambda folder: (folder / "0.png").unlink(), "0 of 5"),
        (masked, "1 of 6"),
        (edged, "1 of 6"),
    ],
)
def test_files(workspace: Path, folder: Path, change: Callable[[Path], object], expected: str) -> None:
    square = Bucket(16, 16, ())

    def data() -> Bucketed:
        pictures = dataset(folder, masks=True, edges=True)
        return Bucketed(pictures, (replace(square, members=tuple(range(len(pictures)))),), "center", "pad_repeat")

    vae = opened(workspace)
    first = encode(workspace, data(), vae)[1]
    change(folder)
    after, second = encode(workspace, data(), vae)
    assert (first, second) == ("6 of 6", expected)
    fresh, _ = encode(workspace / "elsewhere", data(), vae)
    for index in range(len(after.data.dataset)):
        ours, theirs = (made.items.read(made.rows[0][index][0]) for made in (after, fresh))
        assert ours.keys() == theirs.keys()
        assert all(np.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


@dataclass(frozen=True)
class Fill(Transform):
    """Paints everything in one grey, or in a drawn one."""

    grey: int | None

    def apply(self, views: Views, draw: int) -> Views:
        views.picture = np.full_like(views.picture, draw % 256 if self.grey is None else self.grey)
        return views

    @property
    def random(self) -> bool:
        return self.grey is None


def test_settings(workspace: Path, folder: Path) -> None:
    vae = opened(workspace)

    def told(**settings: Any) -> str:
        own = {name: settings.pop(name) for name in ("variations", "flip", "seed") if name in settings}
        transforms = settings.pop("transforms", ())
        made = dataset(folder, transforms=transforms)
        captions = settings.pop("captions", "")
        samples = tuple(replace(sample, caption=captions + sample.caption) for sample in made.samples)
        return encode(workspace, bucketed(folder, Dataset("other", samples), **settings), vae, **own)[1]

    assert told() == "6 of 6"
    assert told(captions="a photo of ") == "0 of 6"
    assert told(seed=4) == told(variations=7) == "0 of 6", "nothing is drawn"
    assert told(target_area=400) == "6 of 6"
    assert told(target_area=400, leftover="drop") == "0 of 6"
    assert told(transforms=(Fill(3),)) == "6 of 6"
    assert told(transforms=(Fill(4),)) == "6 of 6"
    assert told(transforms=(Fill(3),)) == "0 of 6"
    assert told(transforms=(Fill(None),), variations=2) == "12 of 12"
    assert told(transforms=(Fill(None),), variations=5) == "18 of 30"
    assert told(transforms=(Fill(None),), variations=5, seed=1) == "30 of 30"
    assert told(flip=1.0) == "6 of 6"
    assert told(flip=0.5) == "6 of 6"
    assert told() == "0 of 6"


def test_only_pictures_with_something_to_crop_have_variations(workspace: Path, folder: Path) -> None:
    data = bucketed(folder, target_area=1024, crop="random", num_buckets=1, step_size=32)
    assert [(bucket.width, bucket.height) for bucket in data.buckets] == [(32, 32)]
    centred = replace(data, crop="center")
    assert encode(workspace, centred)[1] == "6 of 6"
    made, told = encode(workspace, data, variations=3)
    assert told == f"{4 * 3} of {2 + 4 * 3}", "the two squares are the same whatever is drawn"
    corners = {tuple(made.items.read(number)["sizes"][2:4]) for number in made.rows[0][1]}
    assert len(corners) > 1
    loader, seen = LatentLoader(made, 2, seed=5), set()
    plain = Loader(data, 2, seed=5)
    for step in range(20 * loader.batches_per_epoch):
        batch = loader.batch(step)
        assert batch.captions == plain.captions(step)
        seen |= {(text, *row) for text, row in zip(batch.captions.texts, batch.sizes.data.tolist(), strict=True)}
    drawn = {
        (made.data.dataset.samples[index].caption, *made.items.read(number)["sizes"].tolist())
        for index, numbers in made.rows[0].items()
        for number in numbers
    }
    assert seen == drawn
    again = LatentLoader(made, 2, seed=5)
    assert torch.equal(again.batch(7).posterior.mean, loader.batch(7).posterior.mean)


def test_the_same_bytes_are_one_item_with_one_draw(workspace: Path, folder: Path) -> None:
    data = bucketed(folder, crop="random", num_buckets=1)
    encode(workspace, data, variations=2)
    (folder / "1.png").rename(folder / "another name.png")
    (folder / "copy.png").write_bytes((folder / "2.png").read_bytes())
    after = bucketed(folder, crop="random", num_buckets=1)
    made, told = encode(
        workspace, replace(after, buckets=(replace(data.buckets[0], members=tuple(range(7))),)), variations=2
    )
    assert told.startswith("0 of")
    names = [sample.id for sample in made.data.dataset.samples]
    assert made.rows[0][names.index("copy.png")] == made.rows[0][names.index("2.png")]
