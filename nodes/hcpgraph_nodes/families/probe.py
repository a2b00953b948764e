"""Which family a model on disk belongs to, read from its small files only (torch-free).

Each family lists marks in its table. A mark is met if all its conditions are; the family with the mark of the highest
rank is meant, none if two families have it. The rank is the number of conditions, unless the mark says `rank`.

* `folder`, of diffusers folders: `parts`, component -> its class in model_index.json, several of them, or null where
  there is none; `pipeline`, the class that the file is of; `configs`, component -> entries of its config.json, which
  has to be there.
* `file`, of checkpoints in one file, .safetensors or .gguf: `keys`, beginnings of which each is that of some tensor's
  name; `without`, beginnings that no name has; `shapes`, name -> sizes, null for any.
* `controlnet`, `denoiser`, of a configuration: `config`, entries of it. `text_encoder` too, where `networks` counts as
  an entry: how many networks go together, and `kinds` (`text_probe`).
* `denoiser_file`, as `file`, of a file of the denoiser alone: names without `model.diffusion_model.`.

A mark that says `named` is of files that look like those of another family, as models that differ by their training do:
it counts only where a setting names its family, and then before all others.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hcpgraph import GraphError

from .file_header import SUFFIXES, header
from .table import families

UNREADABLE = (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError)
FIRST = 1000
"""The rank of a mark whose family is named."""
Mark = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]


def probe_family(path: Path, named: str | None = None) -> str | None:
    """The family of a diffusers folder or of a checkpoint in one file, or None if it is not recognised.

    Args:
        path: The folder or file.
        named: The family that a setting names.

    Raises:
        GraphError: E_PACKAGE, the file is one that an extra reads.
    """
    with damaged_is_none():
        if path.is_dir():
            return _folder(path, named)
        return _file(header(path).shapes, "file", named) if path.suffix in SUFFIXES else None
    return None


@contextmanager
def damaged_is_none() -> Iterator[None]:
    """Within it files that are damaged or foreign end the block; a package that is missing does not."""
    try:
        yield
    except GraphError as error:
        if error.problem.code == "E_PACKAGE":
            raise
    except UNREADABLE:
        pass


def family_of_shapes(kind: str, shapes: Shapes, named: str | None = None) -> str | None:
    """The family whose marks of this kind, such as `denoiser_file`, tensors of these names and sizes have."""
    return _file(shapes, kind, named)


def family_of_config(kind: str, config: Mapping[str, Any], named: str | None = None) -> str | None:
    """The family whose marks of this kind, such as `controlnet`, a configuration has."""
    return _best(kind, lambda mark: _entries(config, mark.get("config", {})), named)


def families_of_config(kind: str, config: Mapping[str, Any], named: str | None = None) -> frozenset[str]:
    """The families that have a mark of this kind which a configuration meets."""
    return frozenset(_ranks(kind, lambda mark: _entries(config, mark.get("config", {})), named))


def _best(kind: str, met: Callable[[Mark], int | None], named: str | None) -> str | None:
    """The family with the mark of the highest rank.

    Args:
        kind: Where the marks stand in the tables.
        met: How many conditions a mark has, None if they are not met.
        named: The family that a setting names.
    """
    ranks = _ranks(kind, met, named)
    highest = [name for name, rank in ranks.items() if rank == max(ranks.values())]
    return highest[0] if len(highest) == 1 else None


def _ranks(kind: str, met: Callable[[Mark], int | None], named: str | None) -> dict[str, int]:
    """Families with marks that are met, and the highest rank of each."""
    ranks: dict[str, int] = {}
    for name, row in families().items():
        for mark in row.values.get(kind, ()):
            if mark.get("named") and name != named:
                continue
            try:
                count = met(mark)
            except UNREADABLE:
                continue
            if count is not None:
                rank = FIRST if mark.get("named") else mark.get("rank", count)
                ranks[name] = max(ranks.get(name, -1), rank)
    return ranks


def _folder(path: Path, named: str | None) -> str | None:
    index = json.loads((path / "model_index.json").read_text("utf-8"))
    classes = {name: entry[1] for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    configs: dict[str, Any] = {}

    def met(mark: Mark) -> int | None:
        parts, asked = mark.get("parts", {}), mark.get("configs", {})
        if mark.get("pipeline") not in (None, index.get("_class_name")):
            return None
        for name, wanted in parts.items():
            if classes.get(name) not in (wanted if isinstance(wanted, list) else [wanted]):
                return None
        for name, entries in asked.items():
            if name not in configs:
                configs[name] = json.loads((path / name / "config.json").read_text("utf-8"))
            if _entries(configs[name], entries) is None:
                return None
        return len(parts) + ("pipeline" in mark) + sum(1 + len(entries) for entries in asked.values())

    return _best("folder", met, named)


def _file(found: Shapes, kind: str, named: str | None) -> str | None:
    names = sorted(found)

    def begins(prefix: str) -> bool:
        at = bisect_left(names, prefix)
        return at < len(names) and names[at].startswith(prefix)

    def met(mark: Mark) -> int | None:
        keys, without, shapes = mark.get("keys", ()), mark.get("without", ()), mark.get("shapes", {})
        if not all(map(begins, keys)) or any(map(begins, without)):
            return None
        if not all(_shaped(found.get(name), sizes) for name, sizes in shapes.items()):
            return None
        return len(keys) + len(without) + len(shapes)

    return _best(kind, met, named)


def _entries(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> int | None:
    """How many entries are wanted, if the configuration has them all."""
    return len(wanted) if all(config.get(name) == value for name, value in wanted.items()) else None


def _shaped(shape: tuple[int, ...] | None, sizes: Sequence[int | None]) -> bool:
    if shape is None or len(shape) != len(sizes):
        return False
    return all(size in (None, found) for size, found in zip(sizes, shape, strict=True))
