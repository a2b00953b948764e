"""Transforms of samples: joint over picture, mask and condition, and a function of the sample key alone."""

from __future__ import annotations

import pickle
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.albumentations import AlbumentationsTransform, albumentations_transform
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.color_jitter import ColorJitter, color_jitter
from hcpgraph_nodes.data.crop_jitter import CropJitter, crop_jitter
from hcpgraph_nodes.data.flip import Flip, flip
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.torchvision import TorchvisionTransform, torchvision_transform
from hcpgraph_nodes.data.transforms.transform import Transform, Views
from hcpgraph_nodes.python.object import PythonObject, python_object

from hcpgraph import trust
from hcpgraph.errors import GraphError
from hcpgraph.generators import seeded

from .ramps import Ramp, RampMask

V2 = "torchvision.transforms.v2"


def ramps(count: int = 6, size: tuple[int, int] = (40, 20)) -> Dataset:
    samples = tuple(Sample(Ramp(size, i), "", str(i), Ramp(size, 100 + i), RampMask(size)) for i in range(count))
    return Dataset("ramps", samples)


def loader(data: Dataset, size: tuple[int, int] = (20, 20), **settings: Any) -> Loader:
    bucket = Bucket(*size, tuple(range(len(data))))
    return Loader(Bucketed(data, (bucket,), "random", "pad_repeat"), len(data), seed=4, **settings)


def read(made: Loader, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[list[int]]]:
    got = made.batch(step)
    assert got.conditions is not None
    pictures, conditions = ((images.data * 255).round() for images in (got.images, got.conditions))
    return pictures, conditions, got.masks.data[:, 0], got.sizes.data.tolist()


def test_a_flip_turns_picture_mask_condition_and_corner() -> None:
    made = loader(flip(ramps(size=(40, 30)), horizontal=0.5, vertical=0.5))
    turned = set()
    for step in range(6):
        pictures, conditions, masks, sizes = read(made, step)
        assert torch.equal(pictures[:, :2], conditions[:, :2]) and (masks - pictures[:, 0]).abs().max() <= 2
        for row, (_, _, top, left, _, _) in enumerate(sizes):
            columns, rows = pictures[row, 0, 0].tolist(), pictures[row, 1, :, 0].tolist()
            aside, upside = columns[0] > columns[-1], rows[0] > rows[-1]
            turned.add((aside, upside))
            # the picture (40, 30) is scaled to (27, 20): its columns are about 1.5 apart, counted from the near edge
            assert abs(left - (39 - columns[0] if aside else columns[0]) / 40 * 27) < 1.5 and top == 0
    assert len(turned) == 4
    assert Flip(1, 0).random is False and Flip(0.5, 0).random is True


def test_an_upended_crop_knows_its_corner() -> None:
    whole = Ramp((4, 10)).load()
    views = Views(whole[2:6], None, whole[2:6], (10, 4), (2, 0), (10, 4))
    got = Flip(0, 1).apply(views, 0)
    assert got.corner == (4, 0) and np.array_equal(got.picture, whole[::-1][4:8])
    assert got.condition is not None and np.array_equal(got.condition, got.picture)


@pytest.mark.usefixtures("trusting")
def test_in_a_padded_bucket_no_transform_tells_a_corner_outside_of_the_picture() -> None:
    """Of every kind of transform that there is, also of a subclass that somebody adds."""
    v2 = python_object(path=f"{V2}:ColorJitter", args={"brightness": 0.1})
    chains = {
        Flip: [flip(ramps(), horizontal=h, vertical=v) for h, v in ((1, 0), (0, 1), (1, 1))],
        ColorJitter: [color_jitter(ramps())],
        CropJitter: [crop_jitter(ramps(), min_zoom=1.5, max_zoom=1.5)],
        TorchvisionTransform: [torchvision_transform(ramps(), v2)],
        AlbumentationsTransform: [albumentations_transform(ramps(), [albumentation("VerticalFlip", p=1.0)])],
    }
    ours = {kind.__name__ for kind in Transform.__subclasses__() if kind.__module__.startswith("hcpgraph_nodes.")}
    assert ours == {kind.__name__ for kind in chains}, "a transform of another kind needs a line here"
    for data in (data for several in chains.values() for data in several):
        padded = Bucketed(data, (Bucket(64, 48, tuple(range(len(data)))),), "random", "pad_repeat", fit="pad")
        sizes = Loader(padded, len(data), seed=4, flip=0.5).batch(0).sizes.data
        assert (sizes >= 0).all() and (sizes[:, 2:4] == 0).all(), (data.samples[0].transforms, sizes.tolist())


def test_crop_jitter_zooms_between_its_limits_and_tells_the_corner() -> None:
    data = crop_jitter(ramps(size=(100, 100)), min_zoom=1.5, max_zoom=3)
    made = loader(data, (50, 50))
    widths = []
    for step in range(4):
        pictures, conditions, masks, sizes = read(made, step)
        assert torch.equal(pictures[:, :2], conditions[:, :2])
        assert (masks - pictures[:, 0]).abs().max() <= 2, "bicubic and bilinear differ a little"
        for row, (height, width, top, left, *target) in enumerate(sizes):
            seen = float(pictures[row, 0, 25, -1] - pictures[row, 0, 25, 0]) + 1
            zoom = 50 / seen * 2
            widths.append(zoom)
            assert (height, width, target) == (100, 100, [50, 50])
            assert abs(float(pictures[row, 0, 25, 0]) - left / zoom * 2) < 3
            assert abs(float(pictures[row, 1, 0, 25]) - top / zoom * 2) < 3
    assert 1.4 < min(widths) < 1.9 and 2.4 < max(widths) < 3.3
    with pytest.raises(GraphError, match="E_RANGE min_zoom: min_zoom 2 is above max_zoom 1"):
        crop_jitter(ramps(), min_zoom=2, max_zoom=1)


def views_of(picture: np.ndarray) -> Views:
    return Views(picture, np.ones(picture.shape[:2], np.float32), picture, picture.shape[:2], (0, 0), picture.shape[:2])


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_color_jitter_is_torchvision_s_with_a_factor_in_range(name: str) -> None:
    from torchvision.transforms.v2 import functional

    picture = np.random.default_rng(0).integers(40, 200, (8, 9, 3), np.uint8)
    fields = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, name: 0.3}
    one = torch.from_numpy(picture).permute(2, 0, 1)
    factors = np.linspace(-0.3, 0.3, 2401) + (name != "hue")
    every = torch.stack([getattr(functional, f"adjust_{name}")(one, float(factor)) for factor in factors])
    found = []
    for draw in range(6):
        got = ColorJitter(**fields, probability=1).apply(views_of(picture), draw)
        assert got.condition is picture and got.mask is not None and got.mask.min() == 1
        far = (every.int() - torch.from_numpy(got.picture).permute(2, 0, 1).int()).abs().amax(dim=(1, 2, 3))
        assert far.min() <= 1
        found.append(float(factors[int(far.argmin())]))
    assert max(found) - min(found) > 0.15
    assert ColorJitter(**fields, probability=0).apply(views_of(picture), 3).picture is picture
    assert not ColorJitter(0, 0, 0, 0, 1).random


def chain(data: Dataset) -> Dataset:
    data = torchvision_transform(
        data, python_object(path=f"{V2}:RandomAffine", args={"degrees": 20, "scale": [0.8, 1.2]})
    )
    data = color_jitter(data, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2)
    data = torchvision_transform(data, python_object(path=f"{V2}:GaussianBlur", args={"kernel_size": 3}))
    return crop_jitter(flip(data), max_zoom=1.5)


@pytest.mark.slow
def test_workers_ranks_and_history_change_nothing() -> None:
    data = chain(ramps())
    alone, two = loader(data), loader(data, workers=2)
    later = loader(data)
    for step in (0, 1, 2):
        for one, other in zip(read(alone, step), read(two, step), strict=True):
            assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    two.close()
    assert torch.equal(read(later, 2)[0], read(alone, 2)[0])
    assert not torch.equal(read(alone, 0)[0], read(alone, 1)[0])
    halves = [replace(loader(data).data) for _ in range(2)]
    ranks = [Loader(half, 3, seed=4, rank=rank, world=2) for rank, half in enumerate(halves)]
    assert torch.equal(torch.cat([read(rank, 1)[0] for rank in ranks]), read(alone, 1)[0])


def test_a_torchvision_rotation_moves_mask_and_condition_with_the_picture() -> None:
    rotate = python_object(path=f"{V2}:RandomRotation", args={"degrees": [90, 90]})
    got = read(loader(torchvision_transform(ramps(size=(20, 20)), rotate), (20, 20)), 0)
    plain = read(loader(ramps(size=(20, 20)), (20, 20)), 0)
    for turned, straight in zip(got[:3], plain[:3], strict=True):
        assert torch.equal(turned, torch.rot90(straight, 1, (-2, -1)))


def test_a_torchvision_colour_change_leaves_mask_and_condition() -> None:
    invert = python_object(path=f"{V2}:RandomInvert", args={"p": 1.0})
    got = read(loader(torchvision_transform(ramps(), invert)), 0)
    plain = read(loader(ramps()), 0)
    assert torch.equal(got[0], 255 - plain[0]) and all(map(torch.equal, got[1:3], plain[1:3]))


def test_foreign_generators_are_put_back() -> None:
    def states() -> tuple[Any, ...]:
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()

    def drawn() -> tuple[float, float, float]:
        return float(torch.rand(())), float(np.random.rand()), random.random()

    before = states()
    with seeded(7):
        first = drawn()
    with seeded(8):
        other = drawn()
    with pytest.raises(ValueError), seeded(7):
        assert drawn() == first
        raise ValueError
    assert states() == before and not set(first) & set(other)


def test_threads_draw_one_after_the_other() -> None:
    def drawn(draw: int) -> list[float]:
        with seeded(draw):
            found = []
            for _ in range(3):
                found += [float(torch.rand(())), float(np.random.random()), random.random()]
                time.sleep(0.002)
            return found

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(drawn, range(8))) == [drawn(draw) for draw in range(8)]


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("CenterCrop", {"size": 8}, r"E_TRANSFORM TorchvisionTransform made uint8 \(8, 8, 3\) of uint8 \(20, 20, 3\)"),
        ("RandomCrop", {"size": 64}, r"E_TRANSFORM RandomCrop fails on a uint8 picture \(20, 20, 3\): ValueError"),
    ],
)
def test_what_changes_the_size_or_fails_is_named(name: str, args: dict[str, Any], says: str) -> None:
    data = torchvision_transform(ramps(), python_object(path=f"{V2}:{name}", args=args))
    with pytest.raises(GraphError, match=says):
        loader(data).batch(0)


def test_wrong_objects_and_texts_are_refused() -> None:
    with pytest.raises(GraphError, match="E_OBJECT transform: SGD is no transform of torchvision"):
        torchvision_transform(ramps(), python_object(path="torch.optim:SGD"))
    with pytest.raises(GraphError, match="E_OBJECT args: RandomRotation refuses its arguments"):
        torchvision_transform(ramps(), PythonObject(python_object(path=f"{V2}:RandomRotation").cls))
    texts = Dataset("texts", (Sample(None, "a", "0"),))
    with pytest.raises(GraphError, match=r"E_DATA.*'texts' is of texts alone"):
        flip(texts)


def test_transforms_compare_pickle_and_name_what_they_do() -> None:
    one, two = (chain(ramps(1)).samples[0].transforms for _ in range(2))
    assert one == two and hash(one) == hash(two) and pickle.loads(pickle.dumps(one)) == one
    assert len({transform.identity for transform in one}) == len(one) == 5
    assert "degrees" in one[0].identity and "0x" not in one[0].identity


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """albumentations is there, and the user trusts some of its classes."""
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    pytest.importorskip("albumentations")
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(tmp_path / "config"))
    for name in ("VerticalFlip", "InvertImg", "Affine", "RandomBrightnessContrast", "CenterCrop"):
        trust.add(f"albumentations:{name}")


def albumentation(name: str, **args: Any) -> PythonObject:
    return python_object(path=f"albumentations:{name}", args=args)


@pytest.mark.usefixtures("trusting")
def test_albumentations_moves_all_and_colours_the_picture() -> None:
    steps = (albumentation("VerticalFlip", p=1.0), albumentation("InvertImg", p=1.0))
    got = read(loader(albumentations_transform(ramps(), steps)), 0)
    plain = read(loader(ramps()), 0)
    assert torch.equal(got[0], 255 - plain[0].flip(-2))
    assert torch.equal(got[1], plain[1].flip(-2)) and torch.equal(got[2], plain[2].flip(-2))


@pytest.mark.usefixtures("trusting")
def test_albumentations_draws_from_the_sample_key_alone() -> None:
    steps = (albumentation("Affine", rotate=[-30, 30], p=0.9), albumentation("RandomBrightnessContrast", p=0.9))
    data = albumentations_transform(ramps(), steps, choose="one", probability=0.9)
    alone, two = loader(data), loader(data, workers=2)
    for step in (1, 2, 0):
        for one, other in zip(read(alone, step)[:3], read(two, step)[:3], strict=True):
            assert torch.equal(one, other)
    two.close()
    assert not torch.equal(read(alone, 0)[0], read(alone, 1)[0])
    assert pickle.loads(pickle.dumps(data)) == data


@pytest.mark.usefixtures("trusting")
def test_albumentations_names_what_is_wrong() -> None:
    with pytest.raises(GraphError, match="E_DATA transforms: no transform is connected"):
        albumentations_transform(ramps(), ())
    with pytest.raises(GraphError, match="E_OBJECT transforms: no transforms of albumentations: SGD"):
        albumentations_transform(ramps(), (python_object(path="torch.optim:SGD"),))
    crop = albumentations_transform(ramps(), (albumentation("CenterCrop", height=8, width=8, p=1.0),))
    with pytest.raises(GraphError, match=r"E_TRANSFORM AlbumentationsTransform made uint8 \(8, 8, 3\)"):
        loader(crop).batch(0)
