"""Bucket maths against ten-line references."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.bucketing.kmeans import kmeans_1d
from hcpgraph_nodes.data.bucketing.order import batches_per_epoch, epoch_order, permutation
from hcpgraph_nodes.data.bucketing.resize import covering, crop_to, resize_cover
from hcpgraph_nodes.data.bucketing.sizing import size_of
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


@dataclass(frozen=True)
class Plain:
    size: tuple[int, int]

    def load(self) -> np.ndarray:
        return np.zeros((self.size[1], self.size[0], 3), np.uint8)


def dataset(sizes: list[tuple[int, int]]) -> Dataset:
    return Dataset("d", tuple(Sample(Plain(size), "", str(i)) for i, size in enumerate(sizes)))


def loss(values: np.ndarray, centres: np.ndarray) -> float:
    return float(((values[:, None] - centres[None]) ** 2).min(axis=1).sum())


@pytest.mark.parametrize("seed", range(8))
def test_kmeans_is_optimal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=9) if seed % 2 else rng.integers(0, 5, 9).astype(float)
    for k in (1, 2, 3):
        best = min(
            sum(((part - part.mean()) ** 2).sum() for part in np.split(np.sort(values), cuts) if len(part))
            for cuts in itertools.combinations(range(1, len(values)), k - 1)
        )
        centres = kmeans_1d(values, k)
        assert len(centres) <= k and np.all(np.diff(centres) > 0)
        assert loss(values, centres) == pytest.approx(best, abs=1e-9)


def test_kmeans_of_many_values_is_nearly_optimal() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(m, 0.1, 20_000) for m in (-1, 0, 0.7)])
    centres = kmeans_1d(values, 3)
    assert np.allclose(centres, [-1, 0, 0.7], atol=0.01)
    polished = centres
    for _ in range(20):
        label = np.abs(values[:, None] - polished[None]).argmin(1)
        polished = np.array([values[label == i].mean() for i in range(3)])
    assert loss(values, centres) <= loss(values, polished) * 1.001


def test_kmeans_with_fewer_values_than_clusters() -> None:
    assert kmeans_1d(np.array([0.5]), 10).tolist() == [0.5]
    assert kmeans_1d(np.array([1.0, 1.0, 2.0]), 10).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.8, 1.0, 1.5, 1.78, 4.0])
def test_the_size_of_a_ratio_is_the_formula_of_hcp(ratio: float) -> None:
    h = math.sqrt(640**2 / ratio)
    w = h * ratio
    assert size_of(math.log2(ratio), 640**2, 8) == (round(w / 8) * 8, round(h / 8) * 8)
    assert size_of(12, 64, 8)[1] == 8


def test_buckets_against_a_reference(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [(int(w), int(h)) for w, h in rng.integers(200, 1500, (300, 2))]
    made = ratio_bucket(context(tmp_path), dataset(sizes), target_area=512 * 512, step_size=8, num_buckets=7)
    shapes = [(b.width, b.height) for b in made.buckets]
    assert sorted(i for b in made.buckets for i in b.members) == list(range(300))
    assert all(w % 8 == 0 and h % 8 == 0 and abs(w * h / 512**2 - 1) < 0.05 for w, h in shapes)
    for bucket in made.buckets:
        for i in bucket.members:
            distance = [abs(math.log2(sizes[i][0] / sizes[i][1]) - math.log2(w / h)) for w, h in shapes]
            assert distance[shapes.index((bucket.width, bucket.height))] == min(distance)


def test_few_pictures_equal_shapes_and_one_picture(tmp_path: Path) -> None:
    made = ratio_bucket(context(tmp_path), dataset([(100, 100), (100, 100), (200, 100)]), target_area=4096)
    assert [(b.width, b.height, b.members) for b in made.buckets] == [(64, 64, (0, 1)), (88, 48, (2,))]
    almost = ratio_bucket(context(tmp_path), dataset([(100, 100), (101, 100)]), target_area=4096)
    assert [(b.width, b.height, b.members) for b in almost.buckets] == [(64, 64, (0, 1))]
    with pytest.raises(GraphError, match="empty"):
        ratio_bucket(context(tmp_path), dataset([]))


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (7, 300), (64, 64), (640, 480), (65, 64)])
def test_resize_covers_and_agrees_with_pillow(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    target = (64, 48)
    width, height = covering(size, target)
    assert width >= 64 and height >= 48 and (width == 64 or height == 48)
    assert abs(math.log2(width / height / (size[0] / size[1]))) < 0.05
    method = Image.Resampling.LANCZOS if max(64 / size[0], 48 / size[1]) < 1 else Image.Resampling.BICUBIC
    expected = np.asarray(Image.fromarray(picture).resize((width, height), method))
    got = resize_cover(picture, target)
    assert got.shape == expected.shape and np.abs(got.astype(int) - expected).max() <= 2


def test_crops_reach_every_position_and_the_centre() -> None:
    picture = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    seen = {crop_to(picture, (3, 4), draw).tobytes() for draw in range(9)}
    assert len(seen) == 9
    assert np.array_equal(crop_to(picture, (3, 4), None), picture[1:5, 1:4])
    assert np.array_equal(crop_to(picture, (5, 6), 12345), picture)


def test_permutation_is_one_and_stable() -> None:
    assert sorted(permutation(1000, 7)) == list(range(1000))
    assert (
        permutation(8, 0).tolist() == np.argsort(np.random.PCG64(0).random_raw(8)).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    )
    firsts = np.bincount([permutation(4, s)[0] for s in range(2000)])
    assert firsts.min() > 420


MEMBERS = [tuple(range(10)), tuple(range(10, 13)), tuple(range(13, 14))]


@pytest.mark.parametrize(
    ("leftover", "batches", "samples"), [("pad_repeat", 5, 20), ("drop", 2, 8), ("partial", 5, 14)]
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_epoch_order(leftover: str, batches: int, samples: int, shuffle: bool) -> None:
    assert batches_per_epoch(MEMBERS, 4, leftover) == batches  # type: ignore[arg-type]
    orders = [epoch_order(MEMBERS, 4, leftover, shuffle, 3, epoch) for epoch in range(3)]  # type: ignore[arg-type]
    for order in orders:
        assert len(order) == batches and sum(len(g.samples) for g in order) == samples
        assert [g.start for g in order] == [sum(len(x.samples) for x in order[:i]) for i in range(batches)]
        assert all(set(g.samples) <= set(MEMBERS[g.bucket]) for g in order)
        flat = [i for g in order for i in g.samples]
        if leftover != "drop":
            assert set(flat) == set(range(14))
        if leftover != "pad_repeat":
            assert len(set(flat)) == len(flat)
    assert (orders[0] != orders[1]) == shuffle
    assert orders[0] == epoch_order(MEMBERS, 4, leftover, shuffle, 3, 0)  # type: ignore[arg-type]
    if shuffle and leftover == "drop":
        assert len({i for order in orders for g in order for i in g.samples}) > 8
