"""`data.folder` on real folders."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.data.sources.captions import from_filename
from hcpgraph_nodes.data.sources.dataset import Dataset
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

COLORS = {"b cat.png": "#ff0000", "a.png": "#00ff00", "sub/Größe-3.jpg": "#0000ff", "sub/deep/x.webp": "#ffff00"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "data" / "pets"
    for i, (name, color) in enumerate(COLORS.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + i, 10), color).save(root / name)
        (root / name).with_suffix(".txt").write_text(f" caption of\n{name} ", encoding="utf-8")
    (root / ".hidden.png").write_bytes(b"")
    (root / "notes.md").write_text("no picture")
    return root


def read(tmp_path: Path, **settings: Any) -> Dataset:
    return folder(context(tmp_path), path=settings.pop("path", "data:pets"), **settings)


def test_order_captions_and_sizes(tmp_path: Path, pictures: Path) -> None:
    data = read(tmp_path)
    assert data.name == "pets" and len(data) == 4
    assert [s.id for s in data.samples] == ["a.png", "b cat.png", "sub/Größe-3.jpg", "sub/deep/x.webp"]
    assert data.caption(1) == "caption of b cat.png"
    assert [data.size(i) for i in range(4)] == [(21, 10), (20, 10), (22, 10), (23, 10)]
    for i in range(4):
        assert data.load(i).shape == (*data.size(i)[::-1], 3) and data.load(i).dtype == np.uint8
    again = pickle.loads(pickle.dumps(data))
    assert again == data and np.array_equal(again.load(2), data.load(2))


def test_not_recursive_repeats_trigger_name(tmp_path: Path, pictures: Path) -> None:
    data = read(tmp_path, recursive=False, repeats=3, trigger="sks", name="mine")
    assert data.name == "mine" and [s.id for s in data.samples] == ["a.png", "b cat.png"] * 3
    assert data.caption(0) == "sks, caption of a.png"
    assert read(tmp_path, captions="none", trigger="sks").caption(0) == "sks"


def test_json_captions(tmp_path: Path, pictures: Path) -> None:
    (pictures / "captions.json").write_text(
        json.dumps({"a.png": "common a", "b cat": {"caption": "no suffix"}, "sub/Größe-3.jpg": "big", "zzz": "unused"}),
        encoding="utf-8-sig",
    )
    (pictures / "a.json").write_text('"own a"')
    (pictures / "sub/deep/x.json").write_text('{"caption": "own x", "other": 1}')
    data = read(tmp_path, captions="json")
    assert [s.caption for s in data.samples] == ["own a", "no suffix", "big", "own x"]
    for text, why in (("{", "valid JSON"), ("[1]", "no caption"), ('{"text": 1}', "no caption")):
        (pictures / "a.json").write_text(text)
        with pytest.raises(GraphError, match=rf"E_CAPTION.*a\.json.*{why}"):
            read(tmp_path, captions="json")
    (pictures / "a.json").unlink()
    (pictures / "captions.json").write_text("1")
    with pytest.raises(GraphError, match="must be an object"):
        read(tmp_path, captions="json")


def test_missing_captions(tmp_path: Path, pictures: Path) -> None:
    (pictures / "b cat.txt").unlink()
    (pictures / "sub/Größe-3.txt").unlink()
    with pytest.raises(GraphError, match=r"2 of 4 pictures.*b cat\.png, sub/Größe-3\.jpg"):
        read(tmp_path)
    assert read(tmp_path, on_missing="empty").caption(1) == ""
    named = read(tmp_path, on_missing="filename")
    assert [s.caption for s in named.samples][1:3] == ["b cat", "Größe"]
    skipped = read(tmp_path, on_missing="skip")
    assert [s.id for s in skipped.samples] == ["a.png", "sub/deep/x.webp"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("black_cat-03.png", "black cat"),
        ("cat (2).jpg", "cat"),
        ("007.png", "007"),
        ("a--b__c.png", "a b c"),
        ("cat2.png", "cat2"),
    ],
)
def test_file_names_as_captions(name: str, text: str) -> None:
    assert from_filename(Path(name)) == text


def test_all_bad_pictures_are_named(tmp_path: Path, pictures: Path) -> None:
    (pictures / "a.png").write_bytes(b"nothing")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(pictures / "sub/Größe-3.jpg")
    cut = (pictures / "sub/Größe-3.jpg").read_bytes()
    (pictures / "sub/Größe-3.jpg").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(GraphError, match=r"E_PICTURE 2 of 4 pictures.*a\.png \(.*\); sub/Größe-3\.jpg \(") as error:
        read(tmp_path, check="decode")
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(GraphError, match="1 of 4"):
        read(tmp_path)
    assert [s.id for s in read(tmp_path, on_bad="skip", check="decode").samples] == ["b cat.png", "sub/deep/x.webp"]


def test_captions_must_be_utf8(tmp_path: Path, pictures: Path) -> None:
    (pictures / "a.txt").write_bytes("größe".encode("latin-1"))
    with pytest.raises(GraphError, match=r"E_CAPTION.*a\.txt.*UTF-8"):
        read(tmp_path)


def test_nothing_to_read(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "data" / "empty").mkdir()
    with pytest.raises(GraphError, match="no pictures"):
        read(tmp_path, path="data:empty")
    with pytest.raises(GraphError, match="is no folder"):
        read(tmp_path, path="data:pets/a.png")
    with pytest.raises(GraphError, match="E_NOT_FOUND"):
        read(tmp_path, path="data:cats")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_of_the_user_are_followed(tmp_path: Path, pictures: Path) -> None:
    """In `data:`, also folders; one that leads to a folder around it is not entered, and results lead nowhere."""
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    Image.new("RGB", (4, 4)).save(outside / "far.png")
    before = read(tmp_path, captions="none")
    for place in (pictures, tmp_path / "out"):
        place.mkdir(exist_ok=True)
        (place / "inner.png").symlink_to(pictures / "a.png")
        (place / "linked.png").symlink_to(outside / "far.png")
        (place / "more").symlink_to(outside)
        (place / "ring").symlink_to(place)
    found = [sample.id for sample in read(tmp_path, captions="none").samples]
    assert sorted(found) == sorted([*(s.id for s in before.samples), "inner.png", "linked.png", "more/far.png"])
    with pytest.raises(GraphError, match="E_PATH"):
        read(tmp_path, path="out:", captions="none")
    (tmp_path / "out/linked.png").unlink()
    (tmp_path / "out/inner.png").unlink()
    with pytest.raises(GraphError, match="holds no pictures"):
        read(tmp_path, path="out:", captions="none")


def test_background_behind_transparent_pictures(tmp_path: Path) -> None:
    (tmp_path / "data" / "t").mkdir(parents=True)
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "data" / "t" / "x.png")
    data = read(tmp_path, path="data:t", captions="none", background="#0a141e")
    assert (data.load(0) == [10, 20, 30]).all()
