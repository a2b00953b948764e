"""One file with the captions of many pictures: json, yaml, jsonl, csv, tsv or parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError, listed

from .caption_values import caption_in, read_json, read_yaml
from .names import entry_name
from .tables import CAPTION_COLUMNS, PICTURE_COLUMNS, TABLES, TAG_COLUMNS, Row, as_text, column, object_rows, read_rows

OBJECTS = (".json", ".yaml", ".yml")
COMMON = {
    "json": (
        "captions.json",
        "image_captions.json",
        "metadata.json",
        "meta_cap.json",
        "meta_clean.json",
        "meta_lat.json",
    ),
    "yaml": ("captions.yaml", "captions.yml", "image_captions.yaml", "image_captions.yml"),
    "jsonl": ("captions.jsonl", "metadata.jsonl"),
    "csv": ("captions.csv", "metadata.csv", "captions.tsv", "metadata.tsv"),
    "parquet": ("captions.parquet", "metadata.parquet"),
}
"""What such a file is called in a folder of pictures, by the kind of captions: also by HCP-Diffusion and kohya."""


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """What a file says.

    Attributes:
        texts: Captions by what the file calls their pictures, as `entry_name` writes it; None where it says null.
        unused: Columns that mean nothing here.
    """

    texts: Mapping[str, str | None]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold the picture and its caption; empty looks for the usual names."""

    picture: str = ""
    caption: str = ""


ANY = Columns()


def read_file(path: Path, columns: Columns) -> CaptionFile:
    """The captions of a file.

    Raises:
        GraphError: E_CAPTION (no such file; entries without a caption, of which all are named), E_LIST (a damaged
            table), E_PACKAGE.
    """
    suffix = path.suffix.lower()
    if suffix in OBJECTS:
        data = read_json(path) if suffix == ".json" else read_yaml(path)
        if isinstance(data, list):
            return _rows(object_rows(path, data), path, columns)
        return _object(data, path)
    if suffix in TABLES:
        return _rows(read_rows(path), path, columns)
    raise GraphError(
        "E_CAPTION", f"'{path.name}' is no file of captions", hint=f"endings: {' '.join((*OBJECTS, *TABLES))}"
    )


def collected(path: str, pairs: Iterable[tuple[str, str, Any]]) -> dict[str, str | None]:
    """Captions by name of (where, name, value); one name once.

    Raises:
        GraphError: E_CAPTION, names everything that cannot be used.
    """
    texts: dict[str, str | None] = {}
    bad: list[str] = []
    hints: list[str | None] = []
    for where, name, value in pairs:
        try:
            if not name:
                bad.append(f"{where} names no picture")
            elif name in texts:
                bad.append(f"{where} names '{name}' again")
            else:
                texts[name] = caption_in(value, where)
        except GraphError as error:
            bad.append(error.problem.message)
            hints.append(error.problem.hint)
    if bad:
        hint = hints[0] if len(hints) == len(bad) else "correct or remove these entries"
        raise GraphError("E_CAPTION", f"'{path}': {listed(bad, '; ')}", hint=hint)
    return texts


def _object(data: Any, path: Path) -> CaptionFile:
    if data is None or data == "":
        return CaptionFile({})
    if not isinstance(data, dict):
        raise GraphError(
            "E_CAPTION", f"'{path.name}' must be an object or a list of objects", hint='write {"cat.png": "a cat", …}'
        )
    pairs = ((f"{path.name}: {name}", entry_name(str(name)), value) for name, value in data.items())
    return CaptionFile(collected(path.name, pairs))


def _rows(rows: list[Row], path: Path, columns: Columns) -> CaptionFile:
    if not rows:
        return CaptionFile({})
    picture = column(rows, path, columns.picture, PICTURE_COLUMNS, "the picture", needed=True)
    caption = column(rows, path, columns.caption, (*CAPTION_COLUMNS, *TAG_COLUMNS), "the caption", needed=True)

    def pairs() -> Iterator[tuple[str, str, Any]]:
        for row in rows:
            value = row.values.get(caption)
            text = value if isinstance(value, list | dict) else as_text(value)
            yield row.where, entry_name(as_text(row.values.get(picture)) or ""), text

    unused = dict.fromkeys(name for row in rows for name in row.values if name not in (picture, caption))
    return CaptionFile(collected(path.name, pairs()), tuple(unused))
