"""data.auto_bucket: its plan against every other plan, and what it promises."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.auto_bucket import auto_bucket, planned
from hcpgraph_nodes.data.bucketing.auto_plan import Costs, costs_of, lattice, plan
from hcpgraph_nodes.data.bucketing.report import bucket_table
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


@dataclass(frozen=True)
class Plain:
    size: tuple[int, int]

    def load(self) -> np.ndarray:
        return np.zeros((self.size[1], self.size[0], 3), np.uint8)


def dataset(sizes: Any) -> Dataset:
    return Dataset("d", tuple(Sample(Plain((int(w), int(h))), "", f"{i}.png") for i, (w, h) in enumerate(sizes)))


def mixed(count: int, seed: int = 0, spread: float = 0.5) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    ratio, area = 2.0 ** rng.normal(0, spread, count), 2.0 ** rng.normal(20, 0.5, count)
    return [(round(w), round(h)) for w, h in zip(np.sqrt(area * ratio), np.sqrt(area / ratio), strict=True)]


def price(logs: np.ndarray, sizes: Sequence[tuple[int, int]], labels: np.ndarray, costs: Costs, offered: Any) -> float:
    """What the docstring of auto_plan says, counted out."""
    least = (1 - 2.0 ** -np.abs(logs[:, None] - np.log2([w / h for w, h in offered])[None])).min(1)
    total = 0.0
    for number in np.unique(labels):
        width, height = sizes[number]
        crop = 1 - 2.0 ** -np.abs(logs[labels == number] - np.log2(width / height))
        must = least[labels == number]
        total += (
            crop.sum() + 2 * costs.batch_size * (crop > np.maximum(costs.max_crop, must) + 1e-9).sum() + costs.bucket
        )
        count = len(crop)
        rest = -count % costs.batch_size
        if costs.drop:
            rest = 2 * count if count < costs.batch_size else count % costs.batch_size
        total += costs.leftover * rest
    return float(total)


def cheapest(logs: np.ndarray, sizes: Sequence[tuple[int, int]], costs: Costs, limit: int) -> float:
    """The least that any cutting of the sorted pictures into intervals, each in any size, can cost."""
    logs = np.sort(logs)
    best = np.inf
    for cuts in itertools.product([False, True], repeat=len(logs) - 1):
        ends = [i + 1 for i, cut in enumerate(cuts) if cut] + [len(logs)]
        if limit and len(ends) > limit:
            continue
        total = 0.0
        for begin, end in itertools.pairwise([0, *ends]):
            part = logs[begin:end]
            total += min(price_of_one(part, size, costs, sizes) for size in sizes)
        best = min(best, total)
    return best


@cache
def _one(part: tuple[float, ...], size: tuple[int, int], costs: Costs, sizes: tuple[tuple[int, int], ...]) -> float:
    return price(np.array(part), [size], np.zeros(len(part), np.int64), costs, sizes)


def price_of_one(part: np.ndarray, size: tuple[int, int], costs: Costs, sizes: Sequence[tuple[int, int]]) -> float:
    return _one(tuple(part), size, costs, tuple(sizes))


def drawn(seed: int) -> tuple[np.ndarray, Costs, int]:
    """A set of up to nine pictures, often of equal ratios, what a plan is judged by, and a limit."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 10))
    several = rng.choice(rng.normal(0, 1, 4), count)
    logs = rng.normal(0, 0.9, count) if seed % 2 else several
    costs = costs_of(
        int(rng.integers(1, 5)),
        float(rng.choice([0, 0.3, 1, 3])),
        bool(rng.integers(2)),
        float(rng.choice([0.1, 0.3, 1])),
    )
    return logs, costs, int(rng.choice([0, 0, 1, 2, 3]))


@pytest.mark.parametrize("seed", range(160))
def test_the_plan_is_the_best_of_all(seed: int) -> None:
    logs, costs, limit = drawn(seed)
    sizes = lattice(256**2, 64, 4)
    chosen, labels = plan([(logs, sizes)], costs, limit)[0]
    assert not limit or len(chosen) <= limit
    found = price(logs, chosen, labels, costs, sizes)
    assert found == pytest.approx(cheapest(logs, sizes, costs, limit), abs=1e-9)


def test_a_panorama_loses_no_more_than_it_must(tmp_path: Path) -> None:
    sizes = [(1024, 1024)] * 40 + [(1024, 360)] * 6 + [(4096, 512)]
    made = auto_bucket(context(tmp_path), dataset(sizes), target_area=1024**2, step_size=64)
    (bucket,) = (bucket for bucket in made.buckets if 46 in bucket.members)
    assert bucket.width / bucket.height == 4, "half of it is lost, as with any size of at most 4 : 1"


def test_equal_ratios_are_parted_where_that_fills_batches() -> None:
    """Three of sixteen squares fill up the batch of the wider ones; brute force cannot look at so many."""
    logs = np.array([0.0] * 19 + [0.2] * 5)
    costs = costs_of(8, 1.0, False, 0.5)
    sizes = [(256, 256), (272, 240), (288, 240)]
    chosen, labels = plan([(logs, sizes)], costs, 0)[0]
    assert sorted(np.bincount(labels).tolist()) == [8, 16] or len(chosen) == 1
    assert all(count % 8 == 0 for count in np.bincount(labels))


def test_two_areas_share_a_limit_in_the_best_way() -> None:
    rng = np.random.default_rng(5)
    sizes = lattice(256**2, 64, 4)
    groups = [(rng.normal(0, 1, 6), sizes), (rng.normal(0, 1, 7), sizes)]
    costs = costs_of(1, 1.0, False, 0.2)
    for limit in (2, 3, 4, 6):
        plans = plan(groups, costs, limit)
        assert sum(len(chosen) for chosen, _ in plans) <= limit
        found = sum(price(logs, *one, costs, sizes) for (logs, _), one in zip(groups, plans, strict=True))
        best = min(
            cheapest(groups[0][0], sizes, costs, first) + cheapest(groups[1][0], sizes, costs, limit - first)
            for first in range(1, limit)
        )
        assert found == pytest.approx(best, abs=1e-9)


def test_a_lattice_is_near_its_area_and_symmetric() -> None:
    for area, step, ratio in [(1024**2, 64, 4), (512**2, 8, 4), (640**2, 8, 2), (2048**2, 32, 3)]:
        sizes = lattice(area, step, ratio)
        assert (round(area**0.5), round(area**0.5)) in sizes and len(sizes) == len(set(sizes)) > 8
        assert all(w % step == h % step == 0 and max(w / h, h / w) <= ratio for w, h in sizes)
        assert all(abs(np.log2(w * h / area)) <= np.log2(1.1) for w, h in sizes)
        assert {(h, w) for w, h in sizes} == set(sizes)
        ratios = [w / h for w, h in sizes]
        assert ratios == sorted(set(ratios))
    assert lattice(100**2, 512, 4) == [(512, 512)]


def test_the_number_of_sizes_grows_with_the_set(tmp_path: Path) -> None:
    amounts = [len(auto_bucket(context(tmp_path), dataset(mixed(n))).buckets) for n in (1, 10, 100, 1000)]
    assert amounts[0] == 1 and amounts == sorted(set(amounts))
    one = auto_bucket(context(tmp_path), dataset([(640, 480)] * 500))
    assert len(one.buckets) == 1 and bucket_table(one, 4)[0].crop_max < 0.01


@pytest.mark.parametrize("count", [60, 1000])
def test_batches_are_full_and_less_is_cropped_than_with_ten_clusters(count: int, tmp_path: Path) -> None:
    data = dataset(mixed(count))
    auto = bucket_table(auto_bucket(context(tmp_path), data, batch_size=4, max_buckets=10), 4)
    clusters = bucket_table(ratio_bucket(context(tmp_path), data, num_buckets=10), 4)
    assert len(auto) <= 10
    assert sum(row.leftover or 0 for row in auto) <= sum(row.leftover or 0 for row in clusters)
    assert max(row.crop_max for row in auto) <= max(0.201, *(row.crop_max for row in clusters))
    free = bucket_table(auto_bucket(context(tmp_path), data, batch_size=4), 4)
    assert sum(row.leftover or 0 for row in free) <= 8
    if count == 1000:
        mean = [sum(row.crop_mean * row.count for row in rows) / count for rows in (free, clusters)]
        assert mean[0] < mean[1]


def test_an_outlier_has_a_size_of_its_own_and_what_no_size_fits_is_named(tmp_path: Path) -> None:
    sizes = [(512, 512)] * 16 + [(1024, 256)]
    ctx, events = watched(tmp_path)
    made = auto_bucket(ctx, dataset(sizes), batch_size=8)
    assert {(b.width, b.height): len(b.members) for b in made.buckets} == {(512, 512): 16, (1024, 256): 1}
    assert events("warning") == []
    ctx, events = watched(tmp_path)
    auto_bucket(ctx, dataset([*sizes, (4000, 100)]), batch_size=8)
    assert events("warning") == ["1 pictures lose more than 20% of their area: 17.png"]
    ctx, events = watched(tmp_path)
    auto_bucket(ctx, dataset(sizes), batch_size=8, leftover="drop")
    assert events("warning") == ["1 pictures are never trained, for their bucket has less than a batch of 8: 16.png"]
    loose = auto_bucket(context(tmp_path), dataset(sizes[1:]), batch_size=8, max_crop=1)
    assert [len(bucket.members) for bucket in loose.buckets] == [16], (
        "a picture cut in half weighs less than seven copies"
    )


def test_the_limit_holds_and_is_used_up(tmp_path: Path) -> None:
    data = dataset(mixed(1000))
    free = len(auto_bucket(context(tmp_path), data).buckets)
    for limit in (1, 2, 5, 12):
        assert limit < free
        made = auto_bucket(context(tmp_path), data, max_buckets=limit)
        assert limit - 1 <= len(made.buckets) <= limit


def test_small_pictures_are_not_enlarged_beyond_the_factor(tmp_path: Path) -> None:
    sizes = [(1024, 1024)] * 8 + [(512, 512)] * 8 + [(400, 200)] * 8 + [(20, 20)]
    ctx, events = watched(tmp_path)
    made = auto_bucket(ctx, dataset(sizes), target_area=512**2, max_enlarge=1, step_size=8)
    shapes = {i: (b.width, b.height) for b in made.buckets for i in b.members}
    assert shapes[0] == shapes[8] == (512, 512)
    assert shapes[16][0] <= 404 and shapes[16][1] <= 202 and shapes[24] == (128, 128)
    assert events("warning") == ["1 pictures are enlarged by more than 1: 24.png"]
    sizes = mixed(300, 4, 0.8)
    targets, labels = planned(np.array(sizes), 1024**2, 8, 4, 1.2, costs_of(4, 1, False, 0.25), 0)
    scale = (np.array(targets)[labels] / np.array(sizes)).max(axis=1)
    assert scale.max() < 1.2 * 1.01 and len(set(targets)) == len(targets)
    with pytest.raises(GraphError, match=r"E_DATA.*max_enlarge 1 needs sizes of 3 areas, max_buckets allows 2"):
        auto_bucket(context(tmp_path), dataset([(512, 512), (300, 300), (20, 20)]), max_enlarge=1, max_buckets=2)


def test_ranks_plan_for_the_batch_of_all(tmp_path: Path) -> None:
    sizes = mixed(400, 1)
    ctx = context(tmp_path)
    ctx.run.world = 4
    made = auto_bucket(ctx, dataset(sizes), batch_size=2)
    assert sum(row.leftover or 0 for row in bucket_table(made, 8)) <= 8
    assert Loader(made, 2, rank=3, world=4).samples <= 408


def watched(tmp_path: Path) -> Any:
    """A context, and a function that gives the messages it logged at a level."""
    ctx = context(tmp_path)
    told: list[tuple[str, str]] = []
    emit = ctx.run.events.emit

    def record(kind: str, *args: Any, **fields: Any) -> Any:
        if kind == "log":
            told.append((fields["level"], fields["message"]))
        return emit(kind, *args, **fields)

    ctx.run.events.emit = record
    return ctx, lambda level: [message for found, message in told if found == level]
