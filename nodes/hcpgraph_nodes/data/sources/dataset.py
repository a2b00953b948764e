"""`Dataset`: pictures with captions, read one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from hcpgraph.errors import GraphError
from hcpgraph.types import port_type

from ...image.color import RGB
from ...image.read import read_picture
from ..transforms.transform import Transform


class Source(Protocol):
    """Where one picture comes from; hashable and picklable."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), known without decoding."""

    def load(self) -> np.ndarray:
        """The picture (H, W, 3), uint8."""


@runtime_checkable
class Shrinking(Protocol):
    """A source that need not decode all of a picture that is wanted small."""

    def load_for(self, size: tuple[int, int]) -> np.ndarray:
        """The picture (H, W, 3), uint8, in its own size or a smaller one that is still far larger than `size`."""


class Mask(Protocol):
    """How much every pixel of a picture counts in the loss; hashable and picklable."""

    def load(self) -> np.ndarray:
        """Weights (H, W), float32, ≥ 0."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture file; transparency is composed over `background`."""

    path: str
    size: tuple[int, int]
    background: RGB = (255, 255, 255)

    def load(self) -> np.ndarray:
        return read_picture(self.path, self.background)

    def load_for(self, size: tuple[int, int]) -> np.ndarray:
        return read_picture(self.path, self.background, at_least=size)


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
    """One picture and what belongs to it.

    Attributes:
        source: The picture; None where a data set is of texts alone.
        caption: Its caption.
        id: Names it in messages and in cached files; its path below the data set's folder where it has one.
        condition: A second picture of the same scene, such as an edge map for a ControlNet.
        mask: How much every pixel counts in the loss; None counts all of them once.
        words: Values of further slots of its prompt template, such as `class`.
        transforms: What is done to it after it was cropped, in order.
    """

    source: Source | None
    caption: str
    id: str
    condition: Source | None = None
    mask: Mask | None = None
    words: Mapping[str, str] | None = None
    transforms: tuple[Transform, ...] = ()


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
        return self._source(index).load()

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of picture `index`, without decoding it."""
        return self._source(index).size

    def caption(self, index: int) -> str:
        return self.samples[index].caption

    @property
    def pictures(self) -> bool:
        """Whether its samples have pictures; a data set of texts alone has none."""
        return bool(self.samples) and self.samples[0].source is not None

    def _source(self, index: int) -> Source:
        source = self.samples[index].source
        if source is None:
            raise GraphError(
                "E_DATA",
                f"the data set '{self.name}' is of texts alone",
                hint="take data.caption_batch for its texts, or wire a data set of pictures",
            )
        return source
