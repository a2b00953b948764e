"""Every kind of bucket against its formula, and the report that all of them share."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.auto_bucket import auto_bucket
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.bucketing.kmeans import kmeans, kmeans_1d
from hcpgraph_nodes.data.bucketing.report import bucket_table, named, summary
from hcpgraph_nodes.data.bucketing.resize import covering
from hcpgraph_nodes.data.bucketing.sizing import nearest_ratio
from hcpgraph_nodes.data.fixed_bucket import fixed_bucket
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.long_edge_bucket import long_edge_bucket
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.ratio_grid_bucket import grid_sizes, ratio_grid_bucket
from hcpgraph_nodes.data.ratio_size_bucket import ratio_size_bucket
from hcpgraph_nodes.data.size_bucket import size_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

KINDS: list[Callable[..., Bucketed]] = [
    ratio_bucket,
    ratio_grid_bucket,
    size_bucket,
    ratio_size_bucket,
    long_edge_bucket,
    fixed_bucket,
    auto_bucket,
]


@dataclass(frozen=True)
class Plain:
    size: tuple[int, int]

    def load(self) -> np.ndarray:
        return np.full((self.size[1], self.size[0], 3), 200, np.uint8)


def dataset(sizes: Any) -> Dataset:
    return Dataset("d", tuple(Sample(Plain((int(w), int(h))), "", f"{i}.png") for i, (w, h) in enumerate(sizes)))


def mixed(count: int, seed: int = 0) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    ratio, area = 2.0 ** rng.normal(0, 0.6, count), 2.0 ** rng.normal(18, 1, count)
    return [
        (max(1, round(w)), max(1, round(h))) for w, h in zip(np.sqrt(area * ratio), np.sqrt(area / ratio), strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sizes",
    [
        [(300, 200)],
        [(300, 200), (200, 300), (256, 256)],
        [(320, 240)] * 9,
        [(20_000, 10), (1, 1), (640, 480)],
        mixed(200),
    ],
    ids=["one", "three", "one ratio", "odd", "many"],
)
def test_every_picture_has_one_bucket_whatever_the_set(
    kind: Callable[..., Bucketed], sizes: Any, tmp_path: Path
) -> None:
    made = kind(context(tmp_path), dataset(sizes))
    assert sorted(i for bucket in made.buckets for i in bucket.members) == list(range(len(sizes)))
    assert all(bucket.members == tuple(sorted(bucket.members)) for bucket in made.buckets)
    shapes = [(bucket.width, bucket.height) for bucket in made.buckets]
    assert len(set(shapes)) == len(shapes) and all(w % 8 == h % 8 == 0 and min(w, h) > 0 for w, h in shapes)
    assert made == kind(context(tmp_path), dataset(sizes)), "nothing is random"


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_data_set_and_one_of_texts(kind: Callable[..., Bucketed], tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"E_DATA dataset: the data set 'none' is empty"):
        kind(context(tmp_path), Dataset("none", ()))
    texts = Dataset("texts", tuple(Sample(None, f"text {i}", str(i)) for i in range(5)))
    if kind is fixed_bucket:
        made = kind(context(tmp_path), texts, leftover="partial")
        assert {text for step in range(3) for text in Loader(made, 2).captions(step).texts} == {
            f"text {i}" for i in range(5)
        }
        assert [(row.count, row.crop_max, row.leftover) for row in bucket_table(made, 2)] == [(5, 0, 1)]
        assert bucket_table(replace(made, leftover="merge"), 2)[0].leftover == 1
    else:
        with pytest.raises(GraphError, match=r"E_DATA.*'texts' is of texts alone"):
            kind(context(tmp_path), texts)


def loss(points: np.ndarray, centres: np.ndarray) -> float:
    return float(((points[:, None] - centres[None]) ** 2).sum(2).min(1).sum())


@pytest.mark.parametrize("seed", range(4))
def test_kmeans_in_two_dimensions_is_near_the_best_partition(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(8, 2))
    best = math.inf
    for labels in itertools.product(range(3), repeat=8):
        parts = [points[np.array(labels) == i] for i in set(labels)]
        best = min(best, sum(((part - part.mean(0)) ** 2).sum() for part in parts))
    centres = kmeans(points, 3)
    assert np.array_equal(centres, kmeans(points, 3)) and len(centres) == 3
    assert best - 1e-9 <= loss(points, centres) <= 1.25 * best
    assert np.array_equal(kmeans(np.repeat(points, 3, axis=0), 24), np.unique(points, axis=0))


def test_kmeans_of_many_points_finds_groups() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], float)
    points = np.concatenate([rng.normal(centre, 0.3, (25_000, 2)) for centre in truth])
    centres = kmeans(points, 4)
    assert np.abs(centres[np.lexsort(centres.T)] - truth).max() < 0.05


@pytest.mark.parametrize(
    ("area", "step", "count", "ratio_max"), [(640**2, 8, 10, 4), (512**2, 64, 4, 2), (100**2, 8, 6, 3)]
)
def test_grid_sizes_against_the_algorithm_of_hcp(area: int, step: int, count: int, ratio_max: int) -> None:
    low = int(math.sqrt(area / ratio_max))
    high = int(ratio_max * low) // step * step
    low = low // step * step
    grid = [(w, h) for w in range(low, high + 1, step) for h in range(low, high + 1, step)]
    limit = sorted(abs(w * h - area) for w, h in grid)[min(3 * count, len(grid)) - 1]
    kept = [size for size in grid if abs(size[0] * size[1] - area) <= limit]
    logs = np.array([math.log2(w / h) for w, h in kept])
    centres = kmeans_1d(logs, count)
    labels = np.abs(logs[:, None] - centres[None]).argmin(1)
    expected = []
    for i in range(len(centres)):
        own = [size for size, label in zip(kept, labels, strict=True) if label == i]
        median = np.median(logs[labels == i])
        expected.append(
            min(own, key=lambda s: (round(abs(math.log2(s[0] / s[1]) - median), 9), abs(s[0] * s[1] - area), s))
        )
    got = grid_sizes(area, step, count, ratio_max)
    assert got == sorted(set(expected), key=lambda s: s[0] / s[1]) and len(got) <= count
    assert grid_sizes(64, 512, 3, 4) == [(512, 512)]


def test_grid_sizes_do_not_depend_on_pictures(tmp_path: Path) -> None:
    made = [ratio_grid_bucket(context(tmp_path), dataset(mixed(300, seed)), num_buckets=6) for seed in (0, 1)]
    sizes = grid_sizes(640**2, 8, 6, 4)
    assert all((bucket.width, bucket.height) in sizes for data in made for bucket in data.buckets)
    for bucket in made[0].buckets:
        for i in bucket.members[:5]:
            far = [abs(math.log2(mixed(300)[i][0] / mixed(300)[i][1] / (b.width / b.height))) for b in made[0].buckets]
            assert far.index(min(far)) == made[0].buckets.index(bucket)


def test_size_bucket_keeps_the_scale(tmp_path: Path) -> None:
    sizes = [(100, 60), (104, 60), (300, 310), (310, 300), (40, 200)]
    made = size_bucket(context(tmp_path), dataset(sizes), num_buckets=3, background="#010203")
    assert [(b.width, b.height, b.members) for b in made.buckets] == [
        (40, 200, (4,)),
        (104, 64, (0, 1)),
        (304, 304, (2, 3)),
    ]
    assert (made.fit, made.background) == ("pad", (1, 2, 3))
    row = bucket_table(made, None)[2]
    assert row.crop_max == pytest.approx(1 - 304 * 300 / (310 * 300)) and row.enlarged == 0 and row.leftover is None
    got = Loader(replace(made, crop="center"), 2, shuffle=False).batch(1)
    assert got.images.data.shape == (2, 3, 64, 104)
    assert (got.images.data[0, :, -1, -1] * 255).round().tolist() == [1, 2, 3]
    assert got.masks.data[0, 0].sum() == 100 * 60


def test_ratio_size_bucket_gives_small_pictures_small_sizes(tmp_path: Path) -> None:
    sizes = [(2000, 1000)] * 3 + [(64, 64)] * 3 + [(1000, 1000)] * 3
    made = ratio_size_bucket(context(tmp_path), dataset(sizes), max_area=512 * 512, num_buckets=4)
    assert {(b.width, b.height): b.members for b in made.buckets} == {
        (64, 64): (3, 4, 5),
        (512, 512): (6, 7, 8),
        (728, 360): (0, 1, 2),
    }
    assert (round(math.sqrt(2 * 512**2) / 8) * 8, round(math.sqrt(512**2 / 2) / 8) * 8) == (728, 360)


def test_long_edge_bucket_scales_to_one_long_side(tmp_path: Path) -> None:
    sizes = [(1280, 640), (200, 100), (300, 300), (50, 100)]
    made = long_edge_bucket(context(tmp_path), dataset(sizes), target_edge=320, num_buckets=4)
    assert {(b.width, b.height): b.members for b in made.buckets} == {
        (160, 320): (3,),
        (320, 160): (0, 1),
        (320, 320): (2,),
    }
    assert sum(row.enlarged for row in bucket_table(made, None)) == 3


def test_fixed_bucket_takes_all(tmp_path: Path) -> None:
    made = fixed_bucket(context(tmp_path), dataset(mixed(7)), width=96, height=64, crop="center", leftover="drop")
    assert made.buckets == (Bucket(96, 64, tuple(range(7))),) and (made.crop, made.leftover) == ("center", "drop")


def test_the_nearest_ratio_loses_least() -> None:
    shapes = [(256, 512), (320, 448), (384, 384), (448, 320), (640, 256)]
    sizes = mixed(300, 3)
    found = nearest_ratio(np.log2([w / h for w, h in sizes]), shapes)
    for size, number in zip(sizes, found, strict=True):
        kept = [min(size[0] / size[1] / (w / h), w / h / (size[0] / size[1])) for w, h in shapes]
        assert kept[number] == pytest.approx(max(kept))


@pytest.mark.parametrize("leftover", ["pad_repeat", "drop", "partial", "merge"])
def test_the_report_counts_what_the_loader_does(leftover: Any, tmp_path: Path) -> None:
    sizes = mixed(61, 2)
    data = replace(ratio_bucket(context(tmp_path), dataset(sizes), target_area=4096, num_buckets=5), leftover=leftover)
    rows, made = bucket_table(data, 4), Loader(data, 4)
    assert [(row.width, row.height, row.members) for row in rows] == [
        (b.width, b.height, b.members) for b in made.buckets
    ]
    for number, row in enumerate(rows):
        seen = [i for group in made.epoch(0) if group.bucket == number for i in group.samples]
        odd = {
            "pad_repeat": len(seen) - len(set(seen)),
            "drop": row.count - len(seen),
            "partial": sum(len(g.samples) for g in made.epoch(0) if g.bucket == number and len(g.samples) < 4),
        }
        assert row.leftover == odd.get(leftover, odd["partial"]) and row.count == len(row.members)
        lost, enlarged = [], 0
        for i in row.members:
            width, height = covering(sizes[i], (row.width, row.height))
            lost.append(1 - row.width * row.height / (width * height))
            enlarged += width > sizes[i][0]
        assert row.crop_mean == pytest.approx(np.mean(lost)) and row.crop_max == pytest.approx(max(lost))
        assert row.enlarged == enlarged and row.ids(data) == [f"{i}.png" for i in row.members]
    assert sum(row.count for row in rows) == 61
    text = summary(data, 4)
    assert text.startswith(f"{len(rows)} buckets: {rows[0].width}x{rows[0].height}: {rows[0].count} (crop ")
    assert named(data, range(61)).endswith("19.png … and 41 more")


def test_the_report_needs_no_torch() -> None:
    code = "import sys, hcpgraph_nodes.data.bucketing.report, hcpgraph_nodes.data.bucketing.auto_plan; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
