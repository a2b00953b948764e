"""The header of a safetensors file: metadata and tensors, read without torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import GraphErrors

MAX_HEADER = 100 * 2**20
Tensor = tuple[str, str, list[int]]


@dataclass(frozen=True)
class Header:
    """What a weight file says of itself: metadata, and name, dtype and shape of every tensor."""

    metadata: dict[str, str]
    tensors: list[Tensor]

    def numbers(self) -> int:
        return sum(prod(shape) for _, _, shape in self.tensors)

    def dtypes(self) -> dict[str, int]:
        return dict(Counter(dtype for _, dtype, _ in self.tensors))


def is_safetensors(path: Path) -> bool:
    """Told from the first bytes: a length, then a JSON object."""
    with path.open("rb") as file:
        begin = file.read(9)
    return begin[8:] == b"{" and int.from_bytes(begin[:8], "little") < 2**32


def read_header(path: Path) -> Header:
    """Read the header.

    Raises:
        GraphErrors: E_FILE, it is damaged.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_HEADER:
            raise GraphErrors.one("E_FILE", f"the header of {path} has {size} bytes; it is damaged")
        text = file.read(size)
    try:
        raw = json.loads(text)
        metadata = {str(name): str(value) for name, value in raw.pop("__metadata__", {}).items()}
        return Header(metadata, list(_tensors(raw)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise GraphErrors.one("E_FILE", f"the header of {path} is damaged") from None


def _tensors(raw: dict[str, Any]) -> Iterable[Tensor]:
    for name, entry in raw.items():
        yield name, str(entry["dtype"]), [int(size) for size in entry["shape"]]
