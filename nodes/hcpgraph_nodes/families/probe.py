"""Which family a model on disk belongs to, read from its small files only (torch-free).

Each family lists marks in its table. A mark is met if all its conditions are; the family with the mark of the highest
rank is meant, none if two families have it. The rank is the number of conditions, unless the mark says `rank`.

* `folder`, of diffusers folders: `parts`, component -> its class in model_index.json, several of them, or null where
  there is none; `configs`, component -> entries of its config.json, which has to be there.
* `file`, of .safetensors checkpoints: `keys`, beginnings of which each is that of some tensor's name; `without`,
  beginnings that no name has; `shapes`, name -> sizes, null for any.
* `controlnet`, `denoiser`, of a configuration: `config`, entries of it. `text_encoder` too, where `networks` counts as
  an entry: how many networks go together, and `kinds` (`text_probe`).
* `denoiser_file`, as `file`, of a file of the denoiser alone: names without `model.diffusion_model.`.
"""

from __future__ import annotations

import json
import struct
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .table import families

HEADER_LIMIT = 100 * 1024 * 1024
UNREADABLE = (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError)
Mark = Mapping[str, Any]


def safetensors_header(path: Path) -> dict[str, Any]:
    """The header of a .safetensors file: tensor name -> dtype, shape and offsets, and `__metadata__`.

    Raises:
        ValueError: not a safetensors file.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise ValueError(f"{path.name} is too short for a safetensors file")
        (length,) = struct.unpack("<Q", start)
        if length > HEADER_LIMIT:
            raise ValueError(f"{path.name} is no safetensors file")
        try:
            header = json.loads(file.read(length))
        except RecursionError:
            raise ValueError(f"{path.name} is no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is no safetensors file")
    return header


def probe_family(path: Path) -> str | None:
    """The family of a diffusers folder or a .safetensors checkpoint, or None if it is not recognised."""
    try:
        if path.is_dir():
            return _folder(path)
        return _file(safetensors_header(path)) if path.suffix == ".safetensors" else None
    except UNREADABLE:
        return None


def family_of_header(kind: str, header: Mapping[str, Any]) -> str | None:
    """The family whose marks of this kind, such as `denoiser_file`, the tensors of a file have."""
    return _file(header, kind)


def family_of_config(kind: str, config: Mapping[str, Any]) -> str | None:
    """The family whose marks of this kind, such as `controlnet`, a configuration has."""
    return _best(kind, lambda mark: _entries(config, mark.get("config", {})))


def families_of_config(kind: str, config: Mapping[str, Any]) -> frozenset[str]:
    """The families that have a mark of this kind which a configuration meets."""
    return frozenset(_ranks(kind, lambda mark: _entries(config, mark.get("config", {}))))


def _best(kind: str, met: Callable[[Mark], int | None]) -> str | None:
    """The family with the mark of the highest rank.

    Args:
        kind: Where the marks stand in the tables.
        met: How many conditions a mark has, None if they are not met.
    """
    ranks = _ranks(kind, met)
    highest = [name for name, rank in ranks.items() if rank == max(ranks.values())]
    return highest[0] if len(highest) == 1 else None


def _ranks(kind: str, met: Callable[[Mark], int | None]) -> dict[str, int]:
    """Families with marks that are met, and the highest rank of each."""
    ranks: dict[str, int] = {}
    for name, row in families().items():
        for mark in row.values.get(kind, ()):
            try:
                count = met(mark)
            except UNREADABLE:
                continue
            if count is not None:
                ranks[name] = max(ranks.get(name, -1), mark.get("rank", count))
    return ranks


def _folder(path: Path) -> str | None:
    index = json.loads((path / "model_index.json").read_text("utf-8"))
    classes = {name: entry[1] for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    configs: dict[str, Any] = {}

    def met(mark: Mark) -> int | None:
        parts, asked = mark.get("parts", {}), mark.get("configs", {})
        for name, wanted in parts.items():
            if classes.get(name) not in (wanted if isinstance(wanted, list) else [wanted]):
                return None
        for name, entries in asked.items():
            if name not in configs:
                configs[name] = json.loads((path / name / "config.json").read_text("utf-8"))
            if _entries(configs[name], entries) is None:
                return None
        return len(parts) + sum(1 + len(entries) for entries in asked.values())

    return _best("folder", met)


def _file(header: Mapping[str, Any], kind: str = "file") -> str | None:
    names = sorted(header)

    def begins(prefix: str) -> bool:
        at = bisect_left(names, prefix)
        return at < len(names) and names[at].startswith(prefix)

    def met(mark: Mark) -> int | None:
        keys, without, shapes = mark.get("keys", ()), mark.get("without", ()), mark.get("shapes", {})
        if not all(map(begins, keys)) or any(map(begins, without)):
            return None
        if not all(_shaped(header.get(name, {}).get("shape"), sizes) for name, sizes in shapes.items()):
            return None
        return len(keys) + len(without) + len(shapes)

    return _best(kind, met)


def _entries(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> int | None:
    """How many entries are wanted, if the configuration has them all."""
    return len(wanted) if all(config.get(name) == value for name, value in wanted.items()) else None


def _shaped(shape: Any, sizes: Sequence[int | None]) -> bool:
    same = isinstance(shape, list) and len(shape) == len(sizes)
    return same and all(size in (None, found) for size, found in zip(sizes, shape, strict=True))
