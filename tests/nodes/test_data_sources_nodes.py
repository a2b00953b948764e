"""`data.class_folders`, `data.conditions`, `data.masks`, `data.texts` and `data.list_file`."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.class_folders import class_folders
from hcpgraph_nodes.data.conditions import conditions
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.data.list_file import list_file
from hcpgraph_nodes.data.masks import masks, weights
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.sources.matching import same_shape
from hcpgraph_nodes.data.texts import texts
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .sources import logging_context, picture, warnings


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    for name in ("red_fox/1.png", "red_fox/more/2.jpg", "cat/1.png", "loose.png"):
        picture(tmp_path / "data" / "zoo" / name)
    (tmp_path / "data" / "zoo" / "cat" / "1.txt").write_text("a sleeping cat")
    return tmp_path


def test_classes(zoo: Path) -> None:
    ctx, events = logging_context(zoo)
    data = class_folders(ctx, path="data:zoo", repeats={"cat": 3}, trigger="sks")
    assert [s.id for s in data.samples] == ["cat/1.png"] * 3 + ["red_fox/1.png", "red_fox/more/2.jpg"]
    assert [s.caption for s in data.samples[2:4]] == ["sks, cat", "sks, red fox"]
    assert [dict(s.words or {}) for s in data.samples[2:4]] == [{"class": "cat"}, {"class": "red fox"}]
    assert warnings(events) == ["1 pictures of data:zoo lie in no class folder: loose.png"]
    named = class_folders(context(zoo), path="data:zoo", repeats={"red_fox": 0}, words={"cat": "tabby"}, captions="txt")
    assert [(s.id, s.caption, dict(s.words or {})) for s in named.samples] == [
        ("cat/1.png", "a sleeping cat", {"class": "tabby"})
    ]
    assert pickle.loads(pickle.dumps(data)) == data


def test_classes_that_are_not_there(zoo: Path) -> None:
    with pytest.raises(GraphError, match=r"E_DATA repeats: no class red_fix[^?]*did you mean 'red_fox'"):
        class_folders(context(zoo), path="data:zoo", repeats={"red_fix": 2})
    with pytest.raises(GraphError, match="no class folders"):
        class_folders(context(zoo), path="data:zoo/cat")
    with pytest.raises(GraphError, match=r"2 of 3 pictures.*red_fox/1\.png, red_fox/more/2\.jpg"):
        class_folders(context(zoo), path="data:zoo", captions="txt")


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    for name in ("a.png", "sub/b.v2.jpg", "sub/c.png"):
        picture(tmp_path / "data" / "pets" / name, (40, 30))
    return folder(context(tmp_path), path="data:pets", captions="filename", repeats=2)


def side(tmp_path: Path, folder: str, name: str, size: tuple[int, int] = (40, 30), grey: int = 255) -> Path:
    return picture(tmp_path / "data" / folder / name, size, f"#{grey:02x}{grey:02x}{grey:02x}")


def test_conditions(tmp_path: Path, pets: Dataset) -> None:
    side(tmp_path, "edges", "a.webp", grey=9)
    side(tmp_path, "edges", "sub/b.v2.png", (13, 10))
    side(tmp_path, "edges", "c.png")
    with pytest.raises(GraphError, match=r"E_DATA 1 pictures of 'pets' have no condition in 'data:edges': sub/c\.png"):
        conditions(context(tmp_path), pets, path="data:edges")
    ctx, events = logging_context(tmp_path)
    paired = conditions(ctx, pets, path="data:edges", on_missing="skip")
    assert [s.id for s in paired.samples] == ["a.png", "sub/b.v2.jpg"] * 2
    first = paired.samples[0].condition
    assert first is not None and first.size == (40, 30) and first.load().shape == (30, 40, 3)
    assert paired.samples[0].caption == pets.samples[0].caption and pickle.loads(pickle.dumps(paired)) == paired
    assert warnings(events) == [
        "1 files in data:edges belong to no sample of pets: c.png",
        "left out, 1 pictures without condition: sub/c.png",
    ]
    side(tmp_path, "edges", "a.png")
    with pytest.raises(GraphError, match=r"more than one file.*a\.png and a\.webp"):
        conditions(context(tmp_path), pets, path="data:edges", on_missing="skip")


def test_conditions_of_another_shape_or_damaged(tmp_path: Path, pets: Dataset) -> None:
    for name in ("a.png", "sub/b.v2.png", "sub/c.png"):
        side(tmp_path, "edges", name, (40, 30) if name == "a.png" else (30, 40))
    with pytest.raises(
        GraphError, match=r"E_SIZE 2 conditions.*sub/b\.v2\.png is 30x40, sub/b\.v2\.jpg is 40x30; sub/c\.png"
    ):
        conditions(context(tmp_path), pets, path="data:edges")
    (tmp_path / "data" / "edges" / "a.png").write_bytes(b"no")
    with pytest.raises(GraphError, match=r"E_PICTURE 1 of 3 pictures in 'data:edges'.*a\.png"):
        conditions(context(tmp_path), pets, path="data:edges")
    with pytest.raises(GraphError, match="texts alone"):
        conditions(context(tmp_path), Dataset("t", (Sample(None, "x", "x"),)), path="data:edges")


def test_same_shape_up_to_rounding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        w, h = (int(n) for n in rng.integers(50, 4000, 2))
        scale = float(rng.uniform(0.05, 3))
        for rounded in (np.floor, np.round, np.ceil):
            assert same_shape((w, h), (max(1, int(rounded(w * scale))), max(1, int(rounded(h * scale)))))
    assert not same_shape((40, 30), (30, 40)) and not same_shape((1000, 500), (1000, 502))


def test_brightness_becomes_weight() -> None:
    values = np.arange(256, dtype=np.uint8)
    hcp = weights(values, "hcp")
    assert hcp.dtype == np.float32 and hcp[[0, 127, 191, 255]].tolist() == [0, 1, 3, 5]
    assert np.allclose(hcp, [v / 127 if v <= 127 else (v - 127) / 128 * 4 + 1 for v in range(256)])
    assert abs(hcp[64] - 0.5) < 0.005
    assert np.allclose(weights(values, "linear"), np.linspace(0, 1, 256))


def test_masks_from_a_folder(tmp_path: Path, pets: Dataset) -> None:
    side(tmp_path, "masks", "a.png", grey=191)
    side(tmp_path, "masks", "sub/b.v2.png", (20, 15), grey=0)
    with pytest.raises(GraphError, match=r"E_DATA 1 pictures of 'pets' have no mask in 'data:masks': sub/c\.png"):
        masks(context(tmp_path), pets, path="data:masks")
    masked = masks(context(tmp_path), pets, path="data:masks", on_missing="ones")
    found = [s.mask for s in masked.samples]
    assert found[2] is None and found[:3] == found[3:] and pickle.loads(pickle.dumps(masked)) == masked
    assert found[0] is not None and (found[0].load() == 3).all() and found[0].load().shape == (30, 40)
    assert found[1] is not None and (found[1].load() == 0).all() and found[1].load().shape == (15, 20)
    linear = masks(context(tmp_path), pets, path="data:masks", on_missing="ones", curve="linear").samples[0].mask
    assert linear is not None and np.allclose(linear.load(), 191 / 255)
    side(tmp_path, "masks", "sub/c.png", (40, 40))
    with pytest.raises(GraphError, match=r"E_SIZE 1 masks.*sub/c\.png is 40x40"):
        masks(context(tmp_path), pets, path="data:masks")
    with pytest.raises(GraphError, match="no folder of masks"):
        masks(context(tmp_path), pets)


def test_masks_from_transparency(tmp_path: Path) -> None:
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[:3, :, 3] = 255
    picture(tmp_path / "data" / "cut" / "opaque.png")
    Image.fromarray(pixels).save(tmp_path / "data" / "cut" / "clear.png")
    data = folder(context(tmp_path), path="data:cut", captions="none")
    with pytest.raises(GraphError, match=r"have no transparency: opaque\.png"):
        masks(context(tmp_path), data, source="alpha")
    clear, opaque = (s.mask for s in masks(context(tmp_path), data, source="alpha", on_missing="ones").samples)
    assert opaque is None and clear is not None
    assert np.array_equal(clear.load(), np.repeat([1.0, 0.0], 3)[:, None].repeat(8, 1))
    five = masks(context(tmp_path), data, source="alpha", on_missing="ones", curve="hcp").samples[0].mask
    assert five is not None and five.load().max() == 5


def test_texts(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    data = texts(ctx, texts=["a cat", " ", " two\nlines "], repeats=2)
    assert not data.pictures and [s.caption for s in data.samples] == ["a cat", "two lines"] * 2
    assert len({s.id for s in data.samples}) == 2 and data.name == "texts"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "p.txt").write_text("one\n\n  two  \n", "utf-8")
    (tmp_path / "data" / "p.csv").write_text("text,artist,year\none,Ada,1843\ntwo,,\n")
    (tmp_path / "data" / "p.jsonl").write_text('{"text": "one"}\n{"artist": "x"}\n')
    assert [(s.caption, s.id) for s in texts(ctx, path="data:p.txt").samples] == [
        ("one", "p.txt:1"),
        ("two", "p.txt:3"),
    ]
    rows = texts(ctx, path="data:p.csv").samples
    assert [s.words for s in rows] == [{"artist": "Ada", "year": "1843"}, None]
    with pytest.raises(GraphError, match=r"E_LIST 1 line of 'p\.jsonl'.*p\.jsonl:2 has no text"):
        texts(ctx, path="data:p.jsonl")
    for wrong in ({}, {"texts": ["x"], "path": "data:p.txt"}, {"texts": [" "]}):
        with pytest.raises(GraphError, match="E_DATA"):
            texts(ctx, **wrong)
    with pytest.raises(GraphError, match="texts alone"):
        data.load(0)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    for name, size in (("a b.png", (40, 30)), ("sub/c.jpg", (20, 20)), ("m.png", (20, 15)), ("e.png", (80, 60))):
        picture(tmp_path / "data" / "set" / name, size, "#ffffff")
    return tmp_path


def write(workspace: Path, *rows: dict[str, Any]) -> None:
    (workspace / "data" / "set" / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))


def read(workspace: Path, **settings: Any) -> Dataset:
    return list_file(context(workspace), path="data:set/list.jsonl", root="data:set", **settings)


def test_a_list(listed: Path) -> None:
    write(
        listed,
        {
            "file": "./a b.png",
            "text": " a\ncat",
            "mask": "m.png",
            "condition": "e.png",
            "repeats": 2,
            "artist": "Ada",
            "n": 1.0,
        },
        {"file": "sub\\c.jpg", "text": "gone", "repeats": "0"},
        {"file": "sub/c.jpg", "text": ""},
    )
    with pytest.raises(GraphError, match=r"1 of 3 pictures.*sub/c\.jpg \(line 3\)"):
        read(listed)
    data = read(listed, on_missing="filename", trigger="t")
    assert [(s.id, s.caption) for s in data.samples] == [("a b.png", "t, a cat")] * 2 + [("sub/c.jpg", "t, c")]
    first = data.samples[0]
    assert first.words == {"artist": "Ada", "n": "1"} and data.samples[2].words is None
    assert first.mask is not None and (first.mask.load() == 5).all()
    assert first.condition is not None and first.condition.size == (80, 60)
    assert data.name == "list" and pickle.loads(pickle.dumps(data)) == data


def test_every_bad_line_of_a_list_is_named(listed: Path) -> None:
    picture(listed / "outside.png")
    write(
        listed,
        {"file": "a b.png", "text": "x"},
        {"file": "../../outside.png", "text": "x"},
        {"text": "x"},
        {"file": "gone.png", "repeats": -1, "text": "x"},
        {"file": str(listed / "outside.png"), "text": ["x"]},
        {"file": "sub", "mask": 3, "text": "x"},
    )
    with pytest.raises(GraphError) as error:
        read(listed)
    told = error.value.problem.message
    for part in (
        "5 lines of 'list.jsonl'",
        "line 2: picture '../../outside.png' leaves its folder",
        "line 3: names no picture",
        "line 4: picture 'gone.png' does not exist, repeats '-1' is no whole number",
        "line 5: picture '" + str(listed / "outside.png") + "' is no relative path, the caption is no text",
        "line 6: picture 'sub' is no file, mask '3' does not exist",
    ):
        assert part in told, part


def test_bad_pictures_and_shapes_of_a_list(listed: Path) -> None:
    write(listed, {"file": "a b.png", "text": "x", "mask": "sub/c.jpg"}, {"file": "bad.png", "text": "y"})
    (listed / "data" / "set" / "bad.png").write_bytes(b"no")
    with pytest.raises(GraphError, match=r"E_PICTURE 1 of 2 rows.*bad\.png \(line 2, picture: "):
        read(listed)
    with pytest.raises(GraphError, match=r"E_LIST 1 line.*line 1: mask is 20x20, a b\.png is 40x30"):
        read(listed, on_bad="skip")
    with pytest.raises(GraphError, match="E_DATA"):
        list_file(context(listed), path="data:set", root="data:set")


def test_columns_of_a_parquet_list(listed: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pa.table({"img": ["a b.png", "sub/c.jpg"], "says": ["x", None], "w": [2, 3]}), listed / "data" / "l.parquet"
    )
    data = list_file(
        context(listed),
        path="data:l.parquet",
        root="data:set",
        picture_column="img",
        caption_column="says",
        repeats_column="w",
        on_missing="empty",
    )
    assert [s.caption for s in data.samples] == ["x"] * 2 + [""] * 3
