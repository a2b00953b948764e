"""Nothing that lies where a source reads is lost in silence: each file is used, refused by name, or counted.

Every node that reads a data set gets a small sound set, and then the same set with one odd file more. What the node
gives, says or refuses must be another than before: then somebody is told.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hcpgraph_nodes.data.class_folders import class_folders
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.data.list_file import list_file
from hcpgraph_nodes.data.sources.dataset import Dataset
from hcpgraph_nodes.image import read as reading
from hcpgraph_nodes.text.line_file import read_lines
from PIL import Image

import hcpgraph
from hcpgraph.errors import GraphError

from .sources import logging_context, picture, warnings

HEIC = zlib.decompress(
    base64.b85decode(
        "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Ufw3kxwIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfN=qY1_CW0R?f`KO9S&jqM|@fDif"
        "5KQI>27V)7MamgK^f{K+gRDge@VG7FOPfpjTQnKL6ZNN56Bk=zG{KYxGxU|`^9P5|nVaA4$N{Qn=MfElEM8HD6^F*zgxB{iKG8PQ}GC^WK8d"
        "$n%Xvj>U`4m2<@@HBvgTatjP*<2V879Z>c+98~rpHq~VoKpc5<z-+4Dq#@GEG|feddvZeHIj1@K@L-Zx?KQ7|NsC00gz?_(icE9NW37kA`_&"
        "MnS+A^NJ(TC<if%j7;LPKOw6n;K(<kCN+KwX)ifB_ODe`WIlPZuy8nMo&3~(@{}iKZmU%6k&T_qDCO30qL+`}7767FQU<v"
    )
)
"""32 × 16 pixels of one red, as libheif writes them."""


def jxl() -> bytes:
    pytest.importorskip("pillow_jxl")
    content = io.BytesIO()
    Image.new("RGB", (32, 16), "#c81e28").save(content, "JXL", lossless=True)
    return content.getvalue()


def png(color: str = "blue") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (20, 10), color).save(content, "PNG")
    return content.getvalue()


CAFE = unicodedata.normalize("NFD", "café")
ODD: dict[str, Callable[[], bytes]] = {
    "more.png": png,
    "a.jpg": png,
    "a.caption": lambda: b"another",
    "a.TXT": lambda: b"another",
    "a.json": lambda: b'{"caption": "x"}',
    "a.yaml": lambda: b"caption: ~",
    "gone.txt": lambda: b"of no picture",
    "gone.caption": lambda: b"of no picture",
    "captions.json": lambda: b'{"gone.png": "x"}',
    "image_captions.json": lambda: b"{}",
    "metadata.csv": lambda: b"file,text\na.png,nan\n",
    "metadata.jsonl": lambda: b"{}",
    "photo.heic": lambda: HEIC,
    "photo.jxl": jxl,
    "broken.webp": lambda: b"RIFF",
    "clip.mp4": lambda: b"x",
    "a.npz": lambda: b"x",
    "noending": lambda: b"x",
    ".hidden.png": png,
    ".thumbs/a.png": png,
    f"{CAFE}.png": png,
    f"{CAFE}.txt": lambda: b"a cafe",
    "utf16.png": png,
    "utf16.txt": lambda: "a cat".encode("utf-16-le"),
    "deep/inner.png": png,
    "9_kohya/c.png": png,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "data.folder": {"path": "data:set", "on_missing": "empty", "on_bad": "skip"},
    "data.class_folders": {"path": "data:", "captions": "txt", "on_missing": "empty", "on_bad": "skip"},
    "data.masks": {"path": "data:set", "on_missing": "ones"},
    "data.conditions": {"path": "data:set", "on_missing": "skip"},
    "data.webdataset": {"path": "data:set", "on_missing": "empty", "on_bad": "skip"},
    "data.huggingface": {"path": "data:saved"},
}
"""Sources that read a folder, with the most forgiving settings."""
ONE_FILE = {"data.list_file", "data.texts"}
"""Sources that read one file, of which every row is told: see below."""
OF_NO_FILES = {"data.openmoji"}


def sources() -> set[str]:
    """Every node that reads files and gives a data set."""
    every = hcpgraph.default_registry().specs.values()
    return {spec.id for spec in every if spec.has("read") and any(out.ref.name == "Dataset" for out in spec.outputs)}


def test_every_source_is_looked_at_here() -> None:
    assert sources() == {*SETTINGS, *ONE_FILE, *OF_NO_FILES}


def sound(root: Path, id: str) -> None:
    """A set of two pictures with captions."""
    for name, color in (("a", "red"), ("b", "green")):
        picture(root / f"data/set/{name}.png", color=color)
        (root / f"data/set/{name}.txt").write_text(f"caption {name}")
        picture(root / f"data/pictures/{name}.png", color=color)
    if id == "data.webdataset":
        write_tar(root, {})
    if id == "data.huggingface":
        datasets = pytest.importorskip("datasets")
        table = datasets.Dataset.from_dict({"image": [Image.new("RGB", (8, 8))] * 2, "text": ["x", "y"]})
        table.save_to_disk(str(root / "data/saved"))


def write_tar(root: Path, more: dict[str, bytes]) -> None:
    files = {path.name: path.read_bytes() for path in (root / "data/set").iterdir() if path.suffix != ".tar"} | more
    with tarfile.open(root / "data/set/s.tar", "w") as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            tar.addfile(entry, io.BytesIO(files[name]))


def outcome(root: Path, id: str) -> str:
    """What the node gives and says, or refuses."""
    ctx, events = logging_context(root)
    wired = []
    if id in ("data.masks", "data.conditions"):
        wired = [folder(logging_context(root)[0], path="data:pictures", captions="none")]
    target = hcpgraph.default_registry().impl(id).target
    try:
        made: Dataset = target(ctx, *wired, **SETTINGS[id])
    except GraphError as error:
        return str(error)
    samples = [(s.id, s.caption, repr(s.mask), repr(s.condition), s.words) for s in made.samples]
    told = [
        one["message"]
        for event in events
        if (one := event if isinstance(event, dict) else event.to_json())["kind"] == "log"
    ]
    return json.dumps([samples, told], default=str)


@pytest.mark.parametrize("id", sorted(SETTINGS))
def test_every_odd_file_is_used_refused_or_counted(id: str, tmp_path: Path) -> None:
    sound(tmp_path / "plain", id)
    place = "saved" if id == "data.huggingface" else "set"
    before = outcome(tmp_path / "plain", id)
    silent = []
    for number, (name, content) in enumerate(ODD.items()):
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "plain", root)
        file = root / "data" / place / name
        if id == "data.webdataset" and "/" not in name:
            write_tar(root, {name: content()})
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content())
        if outcome(root, id) == before and not (id == "data.huggingface" and name.startswith(".")):
            silent.append(name)
    assert not silent


def told_by(tmp_path: Path, **settings: Any) -> tuple[list[str], list[str], str]:
    """(captions, warnings, the last line of the log) of data.folder."""
    ctx, events = logging_context(tmp_path)
    made = folder(ctx, path="data:set", **settings)
    logs = [
        one["message"]
        for event in events
        if (one := event if isinstance(event, dict) else event.to_json())["kind"] == "log"
    ]
    return [sample.caption for sample in made.samples], warnings(events), logs[-1]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        picture(tmp_path / f"data/set/{name}.png")
    return tmp_path / "data/set"


def test_endings_of_other_programs_are_read_in_any_case_and_two_of_one_picture_refused(
    tmp_path: Path, pets: Path
) -> None:
    (pets / "a.caption").write_text("of kohya")
    (pets / "b.TXT").write_text("of somebody")
    captions, warned, line = told_by(tmp_path)
    assert captions == ["of kohya", "of somebody"] and not warned
    assert line == "2 pictures in data:set: 2 with a caption (1 .TXT files, 1 .caption files)"
    (pets / "a.txt").write_text("x")
    with pytest.raises(GraphError, match=r"E_CAPTION a\.caption and a\.txt for a\.png"):
        told_by(tmp_path)
    captions, warned, line = told_by(tmp_path, caption_extensions=[".caption"], on_missing="filename")
    assert captions == ["of kohya", "b"] and "not used: 2 other files (2 .txt)" in line
    assert "1 files that may hold captions are not read, for captions is txt: b.TXT" in warned[0]


def test_what_is_null_is_no_caption(tmp_path: Path, pets: Path) -> None:
    for file, content in {
        "captions.yaml": "a: ~\nb: null",
        "captions.json": '{"a": null, "b": NaN}',
        "captions.csv": "file,text\na,nan\nb,\nc,x\n",
        "captions.jsonl": '{"file": "a", "text": NaN}\n{"file": "b", "text": null}\n{"file": "c", "text": "x"}',
        "metadata.json": '[{"file_name": "./a.png", "text": null}, {"file_name": "b.png"}, {"file_name": "c", "text": "x"}]',
    }.items():
        (pets / file).write_text(content)
        with pytest.raises(GraphError, match=r"E_DATA 2 of 2 pictures .* have no caption: a\.png, b\.png"):
            told_by(tmp_path, captions=file.rpartition(".")[2])
        (pets / file).unlink()
    (pets / "captions.yaml").write_text("a: '~'\nb: \"null\"")
    assert told_by(tmp_path, captions="yaml")[0] == ["~", "null"]


def test_nan_in_parquet_is_nothing(tmp_path: Path, pets: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"file": ["a.png", "b.png"], "text": ["x", "y"], "score": [0.5, float("nan")], "vector": [[1], [2]]}
    parquet.write_table(pa.table(columns), pets / "list.parquet")
    ctx, events = logging_context(tmp_path)
    made = list_file(ctx, path="data:set/list.parquet", root="data:set")
    assert [sample.words for sample in made.samples] == [{"score": "0.5"}, None]
    assert any("columns of other kinds not used: vector" in str(event) for event in events)


def test_one_file_for_all_of_hcp_diffusion_and_kohya(tmp_path: Path, pets: Path) -> None:
    picture(pets / "sub/c.png")
    (pets / "image_captions.json").write_text(
        '{"./a.png": ["one", "two"], "b": {"caption": "b", "tags": "x, y"}, "sub\\\\c": "c"}'
    )
    captions, warned, line = told_by(tmp_path, captions="json")
    assert (
        captions == ["one\ntwo", "b, x, y", "c"] and not warned and "1 with several: text.pick_line draws one" in line
    )
    (pets / "image_captions.json").unlink()
    old = {
        "/old/place/set/a.png": {"tags": ["x", "y"]},
        "C:\\set\\b": {"caption": "b"},
        "/old/set/sub/c": {"tags": "c"},
    }
    (pets / "meta_cap.json").write_text(json.dumps(old))
    captions, warned, line = told_by(tmp_path, captions="json")
    assert captions == ["x, y", "b", "c"] and "3 of them absolute paths" in line
    (pets / "meta_cap.json").write_text(json.dumps({**old, "/other/a.png": "again", "/gone.png": "x"}))
    with pytest.raises(GraphError, match=r"E_CAPTION 'meta_cap\.json' names pictures twice: /other/a\.png \(a\.png is"):
        told_by(tmp_path, captions="json")


def test_names_match_however_their_accents_are_written(tmp_path: Path, pets: Path) -> None:
    picture(pets / f"{CAFE}.png")
    (pets / "café.txt").write_text("a café")
    captions, warned, _ = told_by(tmp_path, on_missing="empty")
    assert captions[-1] == "a café" and not warned
    (pets / "list.csv").write_text("file,text\n./café.png,x\n", encoding="utf-8")
    ctx, _ = logging_context(tmp_path)
    (sample,) = list_file(ctx, path="data:set/list.csv", root="data:set").samples
    assert sample.id == "café.png"


def test_all_bad_captions_are_named_at_once_and_utf_16_is_refused(tmp_path: Path, pets: Path) -> None:
    (pets / "a.txt").write_bytes("a cat".encode("utf-16-le"))
    (pets / "b.txt").write_bytes("a cat".encode("utf-16"))
    with pytest.raises(
        GraphError, match=r"2 caption files of 'data:set': 'a\.txt' holds zero bytes.*; 'b\.txt' is UTF-16"
    ):
        told_by(tmp_path)
    (pets / "captions.csv").write_bytes("file,text\na,b\n".encode("utf-16-le"))
    with pytest.raises(GraphError, match=r"E_LIST 'captions\.csv' holds zero bytes"):
        told_by(tmp_path, captions="csv")
    (pets / "captions.json").write_text('{"a": 1, "b": {"x": 1}}')
    with pytest.raises(GraphError, match=r"'captions\.json: a' holds no caption; 'captions\.json: b' holds no caption"):
        told_by(tmp_path, captions="json")
    (pets / "words.txt").write_bytes("red\n".encode("utf-16-le"))
    with pytest.raises(GraphError, match=r"E_TEXT_FILE 'data:words\.txt' holds zero bytes"):
        read_lines(pets / "words.txt", "data:words.txt")


def test_two_pictures_that_share_a_caption_are_told(tmp_path: Path, pets: Path) -> None:
    picture(pets / "a.jpg")
    (pets / "a.txt").write_text("x")
    captions, warned, _ = told_by(tmp_path, on_missing="empty")
    assert captions == ["x", "x", ""]
    assert (
        "1 caption files are shared by pictures that differ in their ending alone: a.txt of a.jpg and a.png"
        in warned[0]
    )


def test_folders_named_as_kohya_names_them_mean_repeats(tmp_path: Path) -> None:
    root = tmp_path / "data/set"
    for name in ("3_red_fox/a.png", "2_cat/b.png", "2_cat/c.png"):
        picture(root / name)
    captions, _, line = told_by(tmp_path, captions="none")
    assert len(captions) == 3 + 2 * 2 and line == "repeats by folder: 2_cat × 2, 3_red_fox × 3"
    assert len(told_by(tmp_path, captions="none", folder_repeats="never")[0]) == 3
    ctx, _ = logging_context(tmp_path)
    made = class_folders(ctx, path="data:set", repeats={"2_cat": 1})
    assert [sample.caption for sample in made.samples] == ["cat", "cat", *["red fox"] * 3]
    (root / "2_cat").rename(root / "2024_cat")
    assert len(told_by(tmp_path, captions="none")[0]) == 3
    assert len(told_by(tmp_path, captions="none", folder_repeats="always")[0]) == 3 + 2 * 2024


@pytest.mark.parametrize(("name", "content"), [("x.heic", lambda: HEIC), ("x.jxl", jxl)])
def test_photographs_of_phones_are_read_with_the_extra_and_refused_by_name_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: Callable[[], bytes]
) -> None:
    (tmp_path / "data/set").mkdir(parents=True)
    (tmp_path / "data/set" / name).write_bytes(content())
    if name.endswith("heic"):
        pytest.importorskip("pi_heif")
    ctx, _ = logging_context(tmp_path)
    made = folder(ctx, path="data:set", captions="none")
    assert made.size(0) == (32, 16) and abs(made.load(0).astype(int) - [200, 30, 40]).max() < 12
    monkeypatch.setattr(reading, "formats", lambda: reading.FORMATS)
    with pytest.raises(GraphError, match=rf"E_PICTURE .*{name} \((HEIF|JXL) needs the extra: pip install 'hcpgraph"):
        folder(ctx, path="data:set", captions="none", check="decode")


def test_folders_that_are_not_entered_are_counted(tmp_path: Path, pets: Path) -> None:
    (pets / "sub").mkdir()
    picture(pets / "sub/inner.png")
    os.symlink(pets / "sub", pets / "linked", target_is_directory=True)
    (pets / "notes.md").write_text("x")
    captions, _, line = told_by(tmp_path, captions="none")
    assert len(captions) == 4 and line.endswith("not used: 1 other files (1 .md)"), "links in data: are followed"
    assert told_by(tmp_path, captions="none", recursive=False)[2].endswith("(1 .md), 2 folders not entered")
