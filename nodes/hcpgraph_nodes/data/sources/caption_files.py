"""One file with the captions of many pictures: json, yaml, jsonl, csv, tsv or parquet."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError, listed

from .listing import stem
from .tables import CAPTION_COLUMNS, PICTURE_COLUMNS, TABLES, as_text, column, read_rows

OBJECTS = (".json", ".yaml", ".yml")
COMMON = {
    "json": ("captions.json",),
    "yaml": ("captions.yaml", "captions.yml"),
    "jsonl": ("captions.jsonl", "metadata.jsonl"),
    "csv": ("captions.csv", "metadata.csv", "captions.tsv", "metadata.tsv"),
    "parquet": ("captions.parquet", "metadata.parquet"),
}
"""What such a file is called in a folder of pictures, by the kind of captions."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold the picture and its caption; empty looks for the usual names."""

    picture: str = ""
    caption: str = ""


ANY = Columns()


def read_file(path: Path, columns: Columns) -> dict[str, str]:
    """Captions by what the file calls their pictures, in composed Unicode (NFC).

    Raises:
        GraphError: E_CAPTION (no such file, no caption in an entry), E_LIST (a damaged table), E_PACKAGE.
    """
    suffix = path.suffix.lower()
    if suffix in OBJECTS:
        pairs = _object(path)
    elif suffix in TABLES:
        pairs = _table(path, columns)
    else:
        raise GraphError(
            "E_CAPTION", f"'{path.name}' is no file of captions", hint=f"endings: {' '.join((*OBJECTS, *TABLES))}"
        )
    return {unicodedata.normalize("NFC", name.replace("\\", "/")): text for name, text in pairs.items()}


def lookup(texts: Mapping[str, str], picture: str) -> tuple[str, str] | None:
    """(entry, caption) of a picture: of its whole path, else of its path without ending."""
    for name in (unicodedata.normalize("NFC", picture), stem(picture)):
        if name in texts:
            return name, texts[name]
    return None


def clean(text: str) -> str:
    """A caption on one line."""
    return " ".join(text.split())


def caption_in(value: Any, where: str) -> str:
    """The caption in a JSON or YAML value: a text, or an object that has one.

    Raises:
        GraphError: E_CAPTION.
    """
    if isinstance(value, dict):
        value = next((value[name] for name in CAPTION_COLUMNS if name in value), None)
    if not isinstance(value, str):
        raise GraphError(
            "E_CAPTION", f"'{where}' holds no caption", hint='a caption is a text or {"caption": "a text"}'
        )
    return clean(value)


def read_json(path: Path) -> Any:
    """Raises GraphError E_CAPTION: not JSON, not UTF-8."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise GraphError("E_CAPTION", f"'{path.name}' is not valid JSON: {error}", hint="correct the file") from None


def read_yaml(path: Path) -> Any:
    """What a YAML file says, every plain value as the text that stands there: `no`, `007` and `1e3` are words.

    Raises:
        GraphError: E_CAPTION, not YAML, not UTF-8.
    """
    import yaml

    try:
        return yaml.load(read_text(path), getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise GraphError(
            "E_CAPTION", f"'{path.name}' is not valid YAML{place}: {problem}", hint="correct the file"
        ) from None


def read_text(path: Path) -> str:
    """Raises GraphError E_CAPTION: not UTF-8, not readable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise GraphError("E_CAPTION", f"'{path.name}' is not UTF-8 text", hint="save it again as UTF-8") from None
    except OSError as error:
        raise GraphError("E_CAPTION", f"'{path.name}' cannot be read: {error.strerror}", hint="see the file") from None


def _object(path: Path) -> dict[str, str]:
    data = read_json(path) if path.suffix.lower() == ".json" else read_yaml(path)
    if data is None or data == "":
        return {}
    if not isinstance(data, dict):
        raise GraphError("E_CAPTION", f"'{path.name}' must be an object", hint='write {"cat.png": "a cat", …}')
    return {str(name): caption_in(value, f"{path.name}: {name}") for name, value in data.items()}


def _table(path: Path, columns: Columns) -> dict[str, str]:
    rows = read_rows(path)
    if not rows:
        return {}
    picture = column(rows, path, columns.picture, PICTURE_COLUMNS, "the picture", needed=True)
    caption = column(rows, path, columns.caption, CAPTION_COLUMNS, "the caption", needed=True)
    texts: dict[str, str] = {}
    bad: list[str] = []
    for row in rows:
        name, text = as_text(row.values.get(picture)), as_text(row.values.get(caption))
        if name is None:
            bad.append(f"{row.where} names no picture")
        elif name in texts:
            bad.append(f"{row.where} names '{name}' again")
        elif text is not None:
            texts[name] = clean(text)
    if bad:
        raise GraphError("E_CAPTION", f"'{path.name}': {listed(bad, '; ')}", hint="correct or remove these lines")
    return texts
