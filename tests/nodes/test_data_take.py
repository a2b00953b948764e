"""`data.take`, `data.merge` and `data.caption_dropout`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.caption_dropout import caption_dropout
from hcpgraph_nodes.data.merge import merge
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.sources.dataset import Dataset
from hcpgraph_nodes.data.take import take
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


@pytest.fixture(scope="module")
def emoji(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return openmoji(context(tmp_path_factory.mktemp("take")), subgroups=["cat-face"], size=32)


def test_spread_evenly(emoji: Dataset, tmp_path: Path) -> None:
    images, captions = take(context(tmp_path), emoji, count=3, width=32, height=32)
    assert images.keys == captions.keys == (("openmoji", 0, 0), ("openmoji", 0, 3), ("openmoji", 0, 6))
    for row, index in enumerate((0, 3, 6)):
        assert captions.texts[row] == emoji.caption(index)
        pixels = (images.data[row] * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, emoji.load(index))
    assert len(take(context(tmp_path), emoji, count=100, width=32, height=32).captions.texts) == 9


def test_chosen_and_cropped(emoji: Dataset, tmp_path: Path) -> None:
    images, captions = take(context(tmp_path), emoji, indices=[5, 5, 1], width=64, height=16)
    assert images.data.shape == (3, 3, 16, 64)
    assert [key[2] for key in captions.keys or ()] == [5, 5, 1]
    with pytest.raises(GraphError, match=r"E_DATA.*9 samples"):
        take(context(tmp_path), emoji, indices=[9], width=8, height=8)


def test_merge(emoji: Dataset, tmp_path: Path) -> None:
    other = Dataset("other", emoji.samples[:2])
    both = merge(context(tmp_path), (emoji, other))
    assert both.name == "openmoji+other" and len(both) == 11
    assert both.caption(9) == emoji.caption(0) and np.array_equal(both.load(10), emoji.load(1))
    assert merge(context(tmp_path), (emoji, other), name="all").name == "all"
    with pytest.raises(GraphError, match="E_DATA"):
        merge(context(tmp_path), ())


def test_dropout_depends_on_the_key_alone(tmp_path: Path) -> None:
    ctx = context(tmp_path, node="drop", seed=4)
    keys = tuple(("d", 0, i) for i in range(4000))
    captions = Captions(tuple(f"c{i}" for i in range(4000)), keys)
    out = caption_dropout(ctx, captions, probability=0.25)
    dropped = [i for i, text in enumerate(out.texts) if text == ""]
    assert out.keys == keys and 0.22 < len(dropped) / 4000 < 0.28
    assert all(out.texts[i] in ("", f"c{i}") for i in range(4000))
    part = caption_dropout(ctx, Captions(captions.texts[100:200], keys[100:200]), probability=0.25)
    assert part.texts == out.texts[100:200]
    assert caption_dropout(ctx, captions, probability=0).texts == captions.texts
    assert set(caption_dropout(ctx, captions, probability=1).texts) == {""}
    assert caption_dropout(context(tmp_path, node="drop", seed=5), captions, probability=0.25).texts != out.texts
    plain = caption_dropout(ctx, Captions(("a", "b")), probability=0.5)
    assert plain.keys is None and plain == caption_dropout(ctx, Captions(("a", "b")), probability=0.5)
