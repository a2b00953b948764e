"""`data.latents`: every picture through the VAE once, again exactly when it must, and batches as data.loader's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.content import contents
from hcpgraph_nodes.data.dataset import ArrayRow, Dataset, PictureFile, Sample
from hcpgraph_nodes.data.latent_batch import latent_batch, latent_conditions
from hcpgraph_nodes.data.latent_loader import LatentLoader, latent_loader
from hcpgraph_nodes.data.latents import LatentSet, latents
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.masks import MaskFile
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.transform import Transform, Views
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.model.handles import Vae
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.types import Images
from hcpgraph_nodes.vae.new import new_vae
from PIL import Image

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

SIZES = [(32, 32), (48, 32), (32, 44), (32, 32), (50, 34), (32, 40)]


@pytest.fixture
def folder(workspace: Path) -> Path:
    """Six real pictures in three shapes with masks and conditions."""
    source = openmoji(context(workspace), groups=["animals-nature"], limit=6, size=48)
    for kind in ("pictures", "masks", "edges"):
        (workspace / "data" / kind).mkdir(parents=True)
    for i, size in enumerate(SIZES):
        picture = Image.fromarray(source.load(i)).resize(size)
        picture.save(workspace / f"data/pictures/{i}.png")
        picture.convert("L").save(workspace / f"data/masks/{i}.png")
        picture.rotate(180).save(workspace / f"data/edges/{i}.png")
    return workspace / "data/pictures"


def dataset(folder: Path, *, masks: bool = False, edges: bool = False, **fields: Any) -> Dataset:
    samples = []
    for path in sorted(folder.glob("*.png")):
        size = Image.open(path).size
        side = {kind: folder.parent / kind / path.name for kind in ("masks", "edges")}
        mask = MaskFile(str(side["masks"]), "linear") if masks and side["masks"].exists() else None
        edge = PictureFile(str(side["edges"]), size) if edges and side["edges"].exists() else None
        samples.append(Sample(PictureFile(str(path), size), path.stem, path.name, edge, mask, None, **fields))
    return Dataset("zoo", tuple(samples))


def bucketed(folder: Path, data: Dataset | None = None, **settings: Any) -> Bucketed:
    made = data or dataset(folder)
    return ratio_bucket(context(folder), made, **{"target_area": 256, "crop": "center", "step_size": 4, **settings})


def opened(workspace: Path, **settings: Any) -> Vae:
    return load_model(context(workspace), path="models:tiny", **settings).vae


def encode(workspace: Path, data: Bucketed, vae: Vae | None = None, **settings: Any) -> tuple[LatentSet, str]:
    """The set, and what the node said: `n of m`."""
    events: list[dict[str, Any]] = []
    ctx = context(workspace)
    ctx.run.events.listener = events.append
    made = latents(ctx, data, vae or opened(workspace), **settings)
    told = [event["message"] for event in events if event["kind"] == "log"]
    return made, next(text.removesuffix(" encoded") for text in told if text.endswith("encoded"))


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
        batch = latent_batch(context(workspace, step=step), made)
        assert batch.captions == expected.captions
        assert batch.latents.keys == batch.masks.keys == batch.sizes.keys == expected.images.keys
        mean = encode_image(context(workspace), vae, expected.images, mode="mean").data
        torch.testing.assert_close(batch.latents.data, mean, rtol=1e-4, atol=1e-5)
        area = torch.nn.functional.avg_pool2d(expected.masks.data, 2)  # the tiny VAE halves the sides
        torch.testing.assert_close(batch.masks.data, area)
        assert torch.equal(batch.sizes.data, expected.sizes.data)
        conditions = latent_conditions(context(workspace, step=step), made)
        assert expected.conditions is not None and torch.equal(conditions.data, expected.conditions.data)


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
    assert batch.masks.data.shape == (2, 1, *batch.latents.data.shape[2:]) and (batch.masks.data == 1).all()
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


def painted(folder: Path) -> None:
    Image.new("RGB", SIZES[2], "white").save(folder / "2.png")


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
    assert torch.equal(again.batch(7).latents.data, loader.batch(7).latents.data)


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
        LatentLoader(result.outputs["latents.out"], 6, shuffle=False).batch(0).latents.data
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


# -------------------------------------------------------------------------------------------------- damage and trouble


def test_unreadable_pictures_are_all_named_and_the_rest_is_kept(workspace: Path, folder: Path) -> None:
    data = bucketed(folder)
    for name in ("1.png", "4.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:200])
    with pytest.raises(GraphError, match=r"E_PICTURE 2 pictures cannot be read: 1\.png.*4\.png"):
        encode(workspace, data)
    for number in (1, 4):
        Image.new("RGB", SIZES[number]).save(folder / f"{number}.png")
    assert encode(workspace, data)[1] == "2 of 6"


def test_a_picture_that_is_written_meanwhile(workspace: Path, folder: Path) -> None:
    @dataclass(frozen=True)
    class Meddle(Transform):
        def apply(self, views: Views, draw: int) -> Views:
            painted(folder)
            return views

    with pytest.raises(GraphError, match=r"E_CHANGED written while they were being encoded: 2\.png"):
        encode(workspace, bucketed(folder, dataset(folder, transforms=(Meddle(),))))


def test_latents_that_are_not_finite_are_named_and_not_kept(workspace: Path, folder: Path) -> None:
    vae = opened(workspace)
    vae.root.module.quant_conv.bias.data.fill_(float("nan"))
    with pytest.raises(GraphError, match=r"E_LATENTS the latents of .*\.png.* are not finite"):
        encode(workspace, bucketed(folder), vae)
    assert encode(workspace, bucketed(folder))[1] == "6 of 6"


def test_contents_of_every_kind(workspace: Path, folder: Path) -> None:
    @dataclass(frozen=True)
    class Member:
        digest: str

        def content(self) -> str:
            return self.digest

    @dataclass(frozen=True)
    class Drawn:
        grey: int

        def load(self) -> np.ndarray:
            return np.full((4, 4, 3), self.grey, np.uint8)

    np.save(workspace / "rows.npy", np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3))
    file, rows = str(folder / "0.png"), str(workspace / "rows.npy")
    (folder / "same.png").write_bytes((folder / "0.png").read_bytes())
    parts = [
        PictureFile(file, (32, 32)),
        PictureFile(file, (32, 32), (0, 0, 0)),
        PictureFile(str(folder / "1.png"), (48, 32)),
        MaskFile(file, "hcp"),
        MaskFile(file, "linear"),
        ArrayRow(rows, 0, (4, 4)),
        ArrayRow(rows, 1, (4, 4)),
        Member("a"),
        Member("b"),
        Drawn(1),
        Drawn(2),
    ]
    found = contents(context(workspace), parts).digests
    assert len(set(found.values())) == len(parts)
    same = PictureFile(str(folder / "same.png"), (32, 32))
    assert contents(context(workspace), [same]).digests[same] == found[parts[0]]


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.nodes.test_latent_cache import bucketed, dataset, encode, Slow
data = bucketed(Path(sys.argv[2]), dataset(Path(sys.argv[2]), transforms=(Slow(),)), num_buckets=3)
print("ready", flush=True)
sys.stdin.readline()
print(encode(Path(sys.argv[1]), data)[1], flush=True)
"""


@dataclass(frozen=True)
class Slow(Transform):
    """Takes its time, so that a process can be killed in the middle."""

    @property
    def random(self) -> bool:
        return False

    def apply(self, views: Views, draw: int) -> Views:
        import time

        time.sleep(0.3)
        return views


def child(workspace: Path, folder: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(workspace), str(folder), root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(180)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL there")
def test_two_runs_at_once_one_killed_and_one_after_them(workspace: Path, folder: Path) -> None:
    both = [child(workspace, folder) for _ in range(2)]
    try:
        for one in both:
            assert one.stdin is not None and one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        store = workspace / "cache/samples"
        while not any(pack.stat().st_size for pack in store.glob("*.pack")):
            assert both[0].poll() is None
        both[0].kill()
        assert both[1].stdout is not None
        survivor = both[1].stdout.read().strip()
        assert survivor.endswith("of 6") and both[1].wait(60) == 0
    finally:
        for one in both:
            one.kill()
            one.communicate()
    data = bucketed(folder, dataset(folder, transforms=(Slow(),)), num_buckets=3)
    after, told = encode(workspace, data)
    assert told == "0 of 6"
    undisturbed, _ = encode(workspace / "elsewhere", data, opened(workspace))
    for one, other in zip(after.rows, undisturbed.rows, strict=True):
        for index in one:
            a, b = after.items.read(one[index][0]), undisturbed.items.read(other[index][0])
            assert a.keys() == b.keys() and all(np.allclose(a[name], b[name], atol=1e-5) for name in a)
