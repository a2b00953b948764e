"""Captions of a folder of pictures: side files, one common JSON file, or the file names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError

COMMON = "captions.json"
_COUNTER = re.compile(r"([\s_-]+\(?\d+\)?|\(\d+\))$")


def from_filename(path: Path) -> str:
    """`black_cat-03.png` -> "black cat": separators become spaces, a trailing counter goes."""
    stem = path.stem
    shorter = _COUNTER.sub("", stem)
    return " ".join((shorter or stem).replace("_", " ").replace("-", " ").split())


def from_txt(path: Path) -> str | None:
    """The text of `<stem>.txt` beside the picture, lines joined by spaces; None without such a file."""
    side = path.with_suffix(".txt")
    return " ".join(_text(side).split()) if side.is_file() else None


def from_json(path: Path, name: str, common: Mapping[str, str]) -> str | None:
    """The caption in `<stem>.json` beside the picture, else the one in `captions.json`.

    Args:
        path: The picture.
        name: Its path relative to the data folder, with `/`.
        common: What `captions.json` says (see `read_common`).
    """
    side = path.with_suffix(".json")
    if side.is_file() and side.name != COMMON:
        return _caption(_json(side), side.name)
    return common.get(name, common.get(name.rpartition(".")[0]))


def read_common(folder: Path) -> dict[str, str]:
    """`captions.json` of the folder: {relative path with or without suffix: caption}; empty without the file."""
    file = folder / COMMON
    if not file.is_file():
        return {}
    data = _json(file)
    if not isinstance(data, dict):
        raise GraphError("E_CAPTION", f"'{COMMON}' must be an object", hint='write {"cat.png": "a cat", …}')
    return {name: _caption(value, f"{COMMON}: {name}") for name, value in data.items()}


def _caption(value: Any, where: str) -> str:
    if isinstance(value, dict):
        value = value.get("caption")
    if not isinstance(value, str):
        raise GraphError(
            "E_CAPTION", f"'{where}' holds no caption", hint='a caption is a text or {"caption": "a text"}'
        )
    return " ".join(value.split())


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise GraphError("E_CAPTION", f"'{path.name}' is not valid JSON: {error}", hint="correct the file") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise GraphError("E_CAPTION", f"'{path.name}' is not UTF-8 text", hint="save it again as UTF-8") from None
