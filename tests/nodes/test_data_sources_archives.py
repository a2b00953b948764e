"""`data.webdataset` and `data.huggingface` on archives made here; no network."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.huggingface import huggingface
from hcpgraph_nodes.data.sources.content import contents
from hcpgraph_nodes.data.webdataset import webdataset
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .sources import noise, opened_files


def encoded(size: tuple[int, int], seed: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(size, seed)).save(buffer, kind)
    return buffer.getvalue()


def shard(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    first = {
        "./a.png": encoded((12, 8), 0),
        "./a.txt": b" a\ncat ",
        "./a.cls": b"3",
        "./._a.png": b"junk of another system",
        "dir/b.v1.jpg": b"passed over: its ending is v1.jpg",
        "dir/b.png": encoded((9, 9), 1),
        "dir/b.json": json.dumps({"caption": "a dog", "artist": "Ada", "tags": ["x"]}).encode(),
    }
    shard(tmp_path / "data" / "web" / "00.tar", first)
    shard(tmp_path / "data" / "web" / "01.tar", {"a.webp": encoded((5, 6), 2, "WEBP"), "a.json": b'"plain"'})
    return tmp_path


def test_shards(shards: Path) -> None:
    data = webdataset(context(shards), path="data:web")
    assert [(s.id, s.caption) for s in data.samples] == [("00/./a", "a cat"), ("00/dir/b", "a dog"), ("01/a", "plain")]
    assert [data.size(i) for i in range(3)] == [(12, 8), (9, 9), (5, 6)]
    assert data.samples[1].words == {"artist": "Ada"} and data.samples[0].words is None
    for index, seed in ((1, 1), (0, 0)):
        assert np.array_equal(data.load(index), noise(data.size(index), seed))
    again = pickle.loads(pickle.dumps(data))
    assert again == data and hash(again.samples[0].source) == hash(data.samples[0].source)
    one = webdataset(context(shards), path="data:web/01.tar", trigger="t")
    assert one.name == "01" and one.caption(0) == "t, plain"


def test_the_content_of_a_member_is_its_bytes(shards: Path) -> None:
    ctx = context(shards)
    first = webdataset(ctx, path="data:web")
    moved = {"pad.png": encoded((30, 30), 9), "pad.txt": b"x", "z.webp": encoded((5, 6), 2, "WEBP"), "z.txt": b"y"}
    shard(shards / "data" / "other" / "9.tar", moved)
    other = webdataset(ctx, path="data:other")
    parts = [first.samples[2].source, other.samples[1].source, other.samples[0].source]
    digests = contents(ctx, parts).digests
    assert digests[parts[0]] == digests[parts[1]] != digests[parts[2]]
    dark = webdataset(ctx, path="data:other", background="#000000").samples[1].source
    assert contents(ctx, [dark]).digests[dark] != digests[parts[1]]


def test_a_shard_is_read_through_once(shards: Path) -> None:
    first = webdataset(context(shards), path="data:web")
    with opened_files() as opened:
        assert webdataset(context(shards), path="data:web") == first
    assert not [name for name in opened if name.endswith(".tar")]
    shard(shards / "data" / "web" / "01.tar", {"n.png": encoded((7, 7), 3), "n.txt": b"new"})
    assert webdataset(context(shards), path="data:web").caption(2) == "new"


def test_damaged_shards(shards: Path) -> None:
    web = shards / "data" / "web"
    shard(
        web / "02.tar",
        {"x.png": b"no", "x.txt": b"x", "y.png": encoded((4, 4), 0), "z.png": encoded((4, 4), 0), "z.json": b"{"},
    )
    with pytest.raises(
        GraphError, match=r"E_PICTURE 2 of 6 pictures.*02\.tar:x \(cannot identify image file.*\); 02\.tar:z \(its json"
    ):
        webdataset(context(shards), path="data:web")
    with pytest.raises(GraphError, match=r"E_DATA 1 of 4 pictures in 'data:web' have no caption: 02\.tar:y"):
        webdataset(context(shards), path="data:web", on_bad="skip")
    assert len(webdataset(context(shards), path="data:web", on_bad="skip", on_missing="skip")) == 3
    shard(web / "02.tar", {"x.png": encoded((4, 4), 0), "y.png": encoded((4, 4), 0), "x.txt": b"x"})
    with pytest.raises(GraphError, match=r"E_DATA the files of 'x' in '02\.tar' do not follow each other"):
        webdataset(context(shards), path="data:web")
    whole = (web / "00.tar").read_bytes()
    for content in (gzip.compress(whole), whole[:900], b"nothing"):
        (web / "02.tar").write_bytes(content)
        with pytest.raises(GraphError, match=r"E_DATA '02\.tar' cannot be read as an uncompressed tar"):
            webdataset(context(shards), path="data:web")
    (shards / "data" / "none").mkdir()
    with pytest.raises(GraphError, match="holds no tar files"):
        webdataset(context(shards), path="data:none")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    datasets = pytest.importorskip("datasets")
    workspace = tmp_path_factory.mktemp("hf")
    features = datasets.Features(
        {
            "id": datasets.Value("int64"),
            "img": datasets.Image(),
            "text": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    rows = {
        "id": [7, 8, 9],
        "img": [{"bytes": encoded((10 + i, 8), i), "path": None} for i in range(3)],
        "text": ["one ", None, "three"],
        "kind": [1, 0, 1],
    }
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table, "test": table.select([2, 0])}).save_to_disk(str(workspace / "data" / "disk"))
    (workspace / "data" / "parquet").mkdir()
    table.to_parquet(str(workspace / "data" / "parquet" / "train-00000.parquet"))
    return workspace


def read(saved: Path, path: str = "data:disk", **settings: Any) -> Any:
    return huggingface(context(saved), path=path, **{"on_missing": "empty", **settings})


@pytest.mark.parametrize("path", ["data:disk", "data:parquet"])
def test_a_table_of_pictures(saved: Path, path: str) -> None:
    data = read(saved, path)
    assert data.name == path.removeprefix("data:") and [s.caption for s in data.samples] == ["one", "", "three"]
    assert [data.size(i) for i in range(3)] == [(10, 8), (11, 8), (12, 8)]
    assert np.array_equal(data.load(2), noise((12, 8), 2))
    assert data.samples[0].words == {"id": "7", "kind": "dog"}
    digests = contents(context(saved), [sample.source for sample in data.samples]).digests
    again = contents(context(saved), [sample.source for sample in read(saved, path, trigger="t").samples]).digests
    assert len(set(digests.values())) == 3 and set(digests.values()) == set(again.values())
    copy = pickle.loads(pickle.dumps(data))
    assert copy.samples[1].source == data.samples[1].source and np.array_equal(copy.load(1), data.load(1))


def test_splits_and_columns(saved: Path) -> None:
    test = read(saved, split="test", caption_column="kind", trigger="a")
    assert [s.caption for s in test.samples] == ["a, dog", "a, dog"] and np.array_equal(test.load(0), noise((12, 8), 2))
    with pytest.raises(GraphError, match=r"E_DATA 1 of 3 pictures.*row 1"):
        read(saved, on_missing="error")
    with pytest.raises(GraphError, match="no column 'txt'"):
        read(saved, caption_column="txt")
    with pytest.raises(GraphError, match=r"column 'text' of 'data:disk' holds no pictures\n.*pictures: img"):
        read(saved, picture_column="text")
    with pytest.raises(GraphError, match="'data:disk' cannot be loaded") as error:
        read(saved, split="valid")
    assert str(saved) not in str(error.value)


def test_a_picture_of_a_table_that_cannot_be_read(saved: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = {
        "image": [{"bytes": encoded((4, 4), 0), "path": None}, {"bytes": b"no", "path": None}, None],
        "text": list("abc"),
    }
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(saved / "data" / "bad"))
    with pytest.raises(
        GraphError,
        match=r"E_PICTURE 2 of 3 pictures.*row 1 \(cannot identify image file\); row 2 \(there is no picture",
    ):
        read(saved, "data:bad")
    assert [s.id for s in read(saved, "data:bad", on_bad="skip").samples] == ["0"]


def test_pictures_beside_a_table(saved: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from pyarrow import parquet

    folder = saved / "data" / "pictures"
    folder.mkdir()
    for i in range(2):
        (folder / f"{i}.png").write_bytes(encoded((6 + i, 5), i))
    (folder / "metadata.csv").write_text("file_name,text\n0.png,zero\n1.png,one\n")
    data = read(saved, "data:pictures")
    assert sorted((s.caption, data.size(i)) for i, s in enumerate(data.samples)) == [("one", (7, 5)), ("zero", (6, 5))]
    assert np.array_equal(data.load(0), noise(data.size(0), data.size(0)[0] - 6))
    (saved / "secret.png").write_bytes(encoded((4, 4), 0))
    (saved / "data" / "foreign").mkdir()
    features = datasets.Features({"image": datasets.Image()})
    rows = {"image": [{"bytes": None, "path": str(path)} for path in (folder / "0.png", saved / "secret.png")]}
    table = datasets.Dataset.from_dict(rows, features=features)
    parquet.write_table(table.data.table, saved / "data" / "foreign" / "train.parquet")
    with pytest.raises(GraphError, match=r"1 of 2 pictures.*row 1 \(its file lies elsewhere\)"):
        read(saved, "data:foreign")


def test_the_hub_without_a_network(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(GraphError, match=r"E_DATA 'hub:nobody/nothing' cannot be loaded.*\n.*without a network"):
        read(saved, "hub:nobody/nothing")
