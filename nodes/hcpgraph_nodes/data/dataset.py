"""`Dataset`: pictures with captions, read one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from hcpgraph.errors import GraphError
from hcpgraph.types import port_type

from ..image.color import RGB
from ..image.read import read_picture


class Source(Protocol):
    """Where one picture comes from; hashable and picklable."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), known without decoding."""

    def load(self) -> np.ndarray:
        """The picture (H, W, 3), uint8."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture file; transparency is composed over `background`."""

    path: str
    size: tuple[int, int]
    background: RGB = (255, 255, 255)

    def load(self) -> np.ndarray:
        return read_picture(self.path, self.background)


@dataclass(frozen=True, slots=True)
class ArrayRow:
    """One row of a .npy file (N, H, W, 3), uint8, which every process maps into memory once."""

    path: str
    row: int
    size: tuple[int, int]

    def load(self) -> np.ndarray:
        return np.array(_mapped(self.path)[self.row])


@lru_cache(maxsize=8)
def _mapped(path: str) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise GraphError(
            "E_NOT_FOUND",
            f"the cached pictures '{Path(path).name}' are gone or damaged: {type(error).__name__}",
            hint="run again with --no-cache: they are made anew",
        ) from error
    return array


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture and its caption; `id` names it in messages."""

    source: Source
    caption: str
    id: str


@port_type(color="#c9b458", shape="square")
@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures with captions; `name` is the first part of every sample key."""

    name: str
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def load(self, index: int) -> np.ndarray:
        """Picture `index` (H, W, 3), uint8. Raises GraphError E_PICTURE if it cannot be decoded."""
        return self.samples[index].source.load()

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of picture `index`, without decoding it."""
        return self.samples[index].source.size

    def caption(self, index: int) -> str:
        return self.samples[index].caption
