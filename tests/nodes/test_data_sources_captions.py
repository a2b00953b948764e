"""Captions of `data.folder`: yaml, jsonl, csv, parquet, one named file, auto, a loader of the user's own; orphans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.python.object import PythonObject

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .sources import logging_context, picture, warnings

NAMES = ("a.png", "b cat.v2.png", "sub/Größe.jpg")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in NAMES:
        picture(tmp_path / "data" / "pets" / name)
    return tmp_path / "data" / "pets"


def texts(tmp_path: Path, **settings: Any) -> list[str]:
    return [s.caption for s in folder(context(tmp_path), path="data:pets", **settings).samples]


def test_yaml_keeps_every_value_a_text(tmp_path: Path, pets: Path) -> None:
    (pets / "captions.yaml").write_text(
        'a: no\nb cat.v2.png: {caption: "007", x: 1}\nsub/Größe: |\n  two\n  lines\n', "utf-8"
    )
    assert texts(tmp_path, captions="yaml") == ["no", "007", "two lines"]
    (pets / "a.yml").write_text("caption: own")
    assert texts(tmp_path, captions="yaml")[0] == "own"
    for bad, why in (
        ("a: [", "not valid YAML in line"),
        ("a: [[x], y]\n", "no caption"),
        ("a: &x [*x]\n", "recursive"),
        ("1", "must be an object"),
    ):
        (pets / "captions.yaml").write_text(bad)
        with pytest.raises(GraphError, match=f"E_CAPTION.*{why}"):
            texts(tmp_path, captions="yaml")


@pytest.mark.parametrize("file", ["metadata.jsonl", "captions.csv", "captions.tsv", "metadata.parquet"])
def test_tables(tmp_path: Path, pets: Path, file: str) -> None:
    rows = [("a.png", "first, with comma"), ("b cat.v2", 'a "quoted"\ncaption'), ("sub/Größe.jpg", "third")]
    write_table(pets / file, ("file_name", "text"), rows)
    kind = {"tsv": "csv"}.get(file.rpartition(".")[2], file.rpartition(".")[2])
    assert texts(tmp_path, captions=kind) == ["first, with comma", 'a "quoted" caption', "third"]
    assert texts(tmp_path, captions="auto") == texts(tmp_path, captions=kind)
    (pets / file).rename(pets.parent / file)
    assert texts(tmp_path, captions_file=f"data:{file}") == texts(
        tmp_path, captions_file=f"data:{file}", captions="json"
    )
    with pytest.raises(GraphError, match=r"E_DATA 3 of 3 pictures.*a\.png, b cat\.v2\.png, sub/Größe\.jpg"):
        texts(tmp_path, captions=kind)


def write_table(path: Path, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        parquet.write_table(pa.table({**columns, "blob": [b"\0"] * len(rows)}), path)
    elif path.suffix == ".jsonl":
        lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows)
        path.write_text("\n\n".join(lines), "utf-8")
    else:
        import csv

        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerows([names, *rows])


def test_columns_are_named_or_found(tmp_path: Path, pets: Path) -> None:
    write_table(pets / "captions.csv", ("img", "words", "text"), [(n, f"w{i}", f"t{i}") for i, n in enumerate(NAMES)])
    with pytest.raises(
        GraphError,
        match=r"E_LIST no column of 'captions\.csv' is one of the picture[^)]*\n.*its columns: img, text, words",
    ):
        texts(tmp_path, captions="csv")
    assert texts(tmp_path, captions="csv", name_column="img") == ["t0", "t1", "t2"]
    assert texts(tmp_path, captions="csv", name_column="img", caption_column="words") == ["w0", "w1", "w2"]
    with pytest.raises(GraphError, match=r"no column 'word'[^?]*did you mean 'words'"):
        texts(tmp_path, captions="csv", name_column="img", caption_column="word")


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        (
            "captions.jsonl",
            '{"file": "a.png", "text": "x"}\n{\n[1]\n',
            r"2 lines of 'captions\.jsonl'.*line 2 is not valid JSON.*line 3 is no JSON object",
        ),
        ("captions.csv", "file,text\na.png,x\nb\nc,d,e\n", "line 3 has 1 fields instead of 2; line 4 has 3 fields"),
        ("captions.csv", "file,text,file\n", "line 1 must name every column once"),
        ("captions.csv", 'file,text\na.png,"x\n', "is no csv"),
        ("captions.parquet", "PAR1 nonsense", "cannot be read as Parquet"),
        (
            "captions.jsonl",
            '{"file": "a.png", "text": "x"}\n{"file": "a.png", "text": "y"}\n{"text": "z"}',
            r"jsonl:2 names 'a\.png' again; captions\.jsonl:3 names no picture",
        ),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, pets: Path, file: str, content: str, why: str) -> None:
    if file.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (pets / file).write_text(content, "utf-8")
    with pytest.raises(GraphError, match=f"(E_LIST|E_CAPTION).*{why}") as error:
        texts(tmp_path, captions=file.rpartition(".")[2])
    assert str(tmp_path) not in str(error.value)


def test_auto_takes_the_only_kind_and_refuses_to_guess(tmp_path: Path, pets: Path) -> None:
    with pytest.raises(GraphError, match="3 of 3 pictures"):
        texts(tmp_path, captions="auto")
    (pets / "notes.json").write_text("{}")
    (pets / "a.txt").write_text("from txt")
    assert texts(tmp_path, captions="auto", on_missing="empty") == ["from txt", "", ""]
    (pets / "captions.json").write_text('{"a": "x"}')
    with pytest.raises(GraphError, match=r"captions of 2 kinds: txt \(1 files\), json \(1 files\)"):
        texts(tmp_path, captions="auto")
    (pets / "metadata.csv").write_text("file,text\na.png,x\n")
    (pets / "captions.csv").write_text("file,text\na.png,x\n")
    with pytest.raises(GraphError, match=r"captions\.csv and metadata\.csv"):
        texts(tmp_path, captions="csv")


def test_orphans_are_told(tmp_path: Path, pets: Path) -> None:
    for name in ("a.txt", "b cat.v2.txt", "b cat.txt", "sub/Größe.txt", "sub/gone.txt"):
        (pets / name).write_text("x")
    ctx, events = logging_context(tmp_path)
    folder(ctx, path="data:pets")
    assert warnings(events) == ["data:pets: 2 caption files belong to no picture: b cat.txt, sub/gone.txt"]
    (pets / "captions.json").write_text(json.dumps({"a": "x", "b cat.v2.png": "y", "sub/Größe": "z", "lost.png": "w"}))
    ctx, events = logging_context(tmp_path)
    folder(ctx, path="data:pets", captions="json")
    assert warnings(events) == ["data:pets: 1 entries of captions.json belong to no picture: lost.png"]


class ByPath:
    """Makes captions of paths."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def __call__(self, path: Path) -> str | None:
        return None if path.suffix == ".jpg" else f"{self.prefix}{path.stem}"


class Loads:
    """Knows captions by name."""

    def __init__(self, texts: Mapping[str, Any]) -> None:
        self.texts = texts

    def load(self) -> Mapping[str, Any]:
        return self.texts


def test_a_loader_of_the_users_own(tmp_path: Path, pets: Path) -> None:
    by_path = PythonObject(ByPath, {"prefix": "the "})
    found = folder(context(tmp_path), by_path, path="data:pets", on_missing="filename")
    assert [s.caption for s in found.samples] == ["the a", "the b cat.v2", "Größe"]
    loads = PythonObject(Loads, {"texts": {"a": "x", "b cat.v2.png": " y\n", "sub/Größe": "z"}})
    assert [s.caption for s in folder(context(tmp_path), loads, path="data:pets").samples] == ["x", "y", "z"]
    for wrong, why in (
        (PythonObject(Loads, {"texts": {"a": 1}}), "no text for a.png"),
        (PythonObject(Loads, {"texts": [1]}), "not a mapping"),
        (PythonObject(Path), "has no load"),
    ):
        with pytest.raises(GraphError, match=f"E_OBJECT.*{why}"):
            folder(context(tmp_path), wrong, path="data:pets")


def test_every_line_may_be_a_caption_of_its_own(tmp_path: Path, pets: Path) -> None:
    (pets / "a.txt").write_text("a  cat\n\n sitting cat \n", encoding="utf-8")
    lines = texts(tmp_path, captions="lines", trigger="sks", on_missing="empty")
    assert lines == ["sks, a cat\nsks, sitting cat", "sks", "sks"]
    assert texts(tmp_path, on_missing="empty")[0] == "a cat sitting cat"
