"""`data.merge`, `data.repeat`, `data.filter` and `data.split`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hcpgraph_nodes.data.filter import filter_samples
from hcpgraph_nodes.data.merge import merge
from hcpgraph_nodes.data.repeat import repeat
from hcpgraph_nodes.data.sources.counts import spread
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from hcpgraph_nodes.data.split import split

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .sources import logging_context


def made(name: str, count: int, size: tuple[int, int] = (8, 8)) -> Dataset:
    return Dataset(
        name, tuple(Sample(PictureFile(f"/{name}/{i}", size), f"{name} {i}", f"{i}.png") for i in range(count))
    )


def counted(data: Dataset) -> Counter[str]:
    return Counter(sample.id.partition("/")[0] for sample in data.samples)


@pytest.mark.parametrize(
    ("sizes", "weights", "expected"),
    [((10, 10), (1, 1), (10, 10)), ((10, 100), (1, 1), (100, 100)), ((3, 7), (0.3, 0.7), (3, 7)),
     ((4, 10), (3, 1), (30, 10)), ((7, 5, 1), (1, 2, 5), (7, 14, 35))],
)  # fmt: skip
def test_weights_are_shares_of_an_epoch(tmp_path: Path, sizes: Any, weights: Any, expected: Any) -> None:
    parts = tuple(made(f"d{i}", n) for i, n in enumerate(sizes))
    data = merge(context(tmp_path), parts, weights=list(weights))
    assert tuple(counted(data)[part.name] for part in parts) == expected
    for part in parts:
        times = Counter(s.id for s in data.samples if s.id.startswith(f"{part.name}/"))
        assert len(times) == len(part) and max(times.values()) - min(times.values()) <= 1


def test_repeats_and_names(tmp_path: Path) -> None:
    a, b = made("a", 2), made("b", 3)
    data = merge(context(tmp_path), (a, b, a), repeats=[2, 1, 0])
    assert [s.id for s in data.samples] == ["a/0.png", "a/1.png"] * 2 + ["b/0.png", "b/1.png", "b/2.png"]
    twice = merge(context(tmp_path), (a, a), name="all")
    assert [s.id for s in twice.samples] == ["a/0.png", "a/1.png", "a-2/0.png", "a-2/1.png"] and twice.name == "all"
    assert merge(context(tmp_path), (a,)).samples == a.samples
    both = merge(context(tmp_path), (a, b), repeats=[3, 1], weights=[1, 1])
    assert counted(both) == {"a": 6, "b": 6}
    for wrong in ({"repeats": [1]}, {"weights": [1.0, 1.0, 1.0]}):
        with pytest.raises(GraphError, match="E_WEIGHTS_COUNT"):
            merge(context(tmp_path), (a, b), **wrong)
    with pytest.raises(GraphError, match="an epoch would have"):
        merge(context(tmp_path), (a, b), weights=[1e-6, 1e6])
    with pytest.raises(GraphError, match="texts alone"):
        merge(context(tmp_path), (a, Dataset("t", (Sample(None, "x", "x"),))))


def test_spread_is_even() -> None:
    samples = made("a", 4).samples
    assert [s.id[0] for s in spread(samples, 6)] == list("011233")
    assert spread(samples, 4) == list(samples) and spread(samples, 0) == []
    assert repeat(made("a", 2), times=3).samples == made("a", 2).samples * 3


def test_filter(tmp_path: Path) -> None:
    shapes = {"small.png": (20, 100), "wide.png": (300, 100), "good.png": (120, 100), "tall.png": (100, 400)}
    data = Dataset("d", tuple(Sample(PictureFile(f"/{n}", s), f"a {n[:-4]} cat", n) for n, s in shapes.items()))

    def kept(**settings: Any) -> list[str]:
        return [s.id[:-4] for s in filter_samples(context(tmp_path), data, **settings).samples]

    assert kept() == ["small", "wide", "good", "tall"]
    assert kept(min_side=100) == ["wide", "good", "tall"] and kept(max_side=300) == ["small", "wide", "good"]
    assert kept(min_pixels=12000, max_pixels=30000) == ["wide", "good"]
    assert kept(min_ratio=1.2) == ["wide", "good"] and kept(max_ratio=1.2) == ["small", "good", "tall"]
    assert kept(include=["WIDE", "re:go+d"]) == ["wide", "good"] and kept(exclude=["re:^a (wide|tall)"]) == [
        "small",
        "good",
    ]
    assert kept(include_ids=["re:^s"], exclude_ids=["tall"]) == ["small"]
    ctx, events = logging_context(tmp_path)
    filter_samples(ctx, data, min_side=100, max_ratio=2, exclude=["tall"])
    assert "1 of 4 samples are left: a side below 100 1, a ratio above 2 1, caption excluded 1" in str(events[-1])
    with pytest.raises(GraphError, match="E_DATA no sample of 'd' is left: a side below 5000 4"):
        kept(min_side=5000)
    with pytest.raises(GraphError, match="E_PATTERN"):
        kept(include=["re:("])
    words = Dataset("t", (Sample(None, "x", "x"),))
    assert len(filter_samples(context(tmp_path), words, include=["x"])) == 1
    with pytest.raises(GraphError, match="no size"):
        filter_samples(context(tmp_path), words, min_side=1)


def test_a_slow_pattern_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hcpgraph_nodes.data.sources.patterns.SECONDS", 0.2)
    slow = Dataset("d", (Sample(None, "a" * 60, "x"),))
    with pytest.raises(GraphError, match=r"E_PATTERN.*too long"):
        filter_samples(context(tmp_path), slow, include=[r"re:^(?:.|..|...)+\d$"])


def test_split_is_stable_and_fair(tmp_path: Path) -> None:
    data = made("d", 2000)
    train, validation = split(context(tmp_path), data, share=0.2)
    assert (train.name, validation.name) == ("d-train", "d-validation")
    assert len(train) + len(validation) == 2000 and 340 < len(validation) < 460
    fewer = Dataset("other", data.samples[::3] + data.samples[:10])
    again = split(context(tmp_path), fewer, share=0.2)
    held = {s.id for s in validation.samples}
    assert {s.id for s in again.validation.samples} == held & {s.id for s in fewer.samples}
    assert not held & {s.id for s in again.train.samples}
    wider = {s.id for s in split(context(tmp_path), data, share=0.4).validation.samples}
    assert held < wider, "a larger share keeps those that were apart"
    other = {s.id for s in split(context(tmp_path), data, share=0.2, seed=1).validation.samples}
    assert len(held & other) < 130
    with pytest.raises(GraphError, match="E_DATA all 1 samples of 'd' are for"):
        split(context(tmp_path), made("d", 1))
