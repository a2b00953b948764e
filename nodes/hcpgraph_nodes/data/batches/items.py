"""Named arrays as bytes, and many of them in packs that are mapped into memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

ALIGN = 64


class Layout(NamedTuple):
    """Which arrays the bytes of an item are.

    Attributes:
        fields: Name, type and shape of each array, and where it begins.
        size: Bytes of all.
    """

    fields: tuple[tuple[str, np.dtype, tuple[int, ...], int], ...]
    size: int


def packed(arrays: Mapping[str, np.ndarray]) -> tuple[str, bytes]:
    """The layout as text and the bytes, every array at a multiple of 64."""
    fields, content = [], bytearray()
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<")
        content += b"\0" * (-len(content) % ALIGN)
        fields.append([name, dtype.str, list(array.shape)])
        content += np.ascontiguousarray(array, dtype).tobytes()
    return json.dumps(fields, separators=(",", ":")), bytes(content)


@lru_cache(maxsize=1024)
def layout(text: str) -> Layout:
    """The layout that `packed` gave."""
    fields, start = [], 0
    for name, kind, shape in json.loads(text):
        start += -start % ALIGN
        dtype = np.dtype(kind)
        fields.append((name, dtype, tuple(shape), start))
        start += dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    return Layout(tuple(fields), start)


def unpacked(content: np.ndarray | bytes, start: int, layout: Layout) -> dict[str, np.ndarray]:
    """The arrays of an item that begins at `start`; they share its memory."""
    return {name: np.ndarray(shape, dtype, content, start + offset) for name, dtype, shape, offset in layout.fields}


class Items:
    """Cached samples by number, read-only; their packs stay mapped, or are copied into memory.

    Args:
        packs: Bytes that items lie in.
        layouts: The layouts that occur.
        places: Pack, first byte and layout of every item (n, 3), int64.

    Attributes:
        nbytes: Memory that is taken for good; mapped files do not count.
    """

    def __init__(self, packs: Sequence[np.ndarray], layouts: Sequence[Layout], places: np.ndarray) -> None:
        self._packs = packs
        self._layouts = layouts
        self._places = places
        self.nbytes = places.nbytes

    def __len__(self) -> int:
        return len(self._places)

    def read(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of one item, without a copy."""
        pack, start, kind = self._places[number].tolist()
        return unpacked(self._packs[pack], start, self._layouts[kind])

    def in_memory(self) -> Items:
        """The same items, copied."""
        sizes = np.array([kind.size for kind in self._layouts], np.int64)[self._places[:, 2]]
        sizes += -sizes % ALIGN
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        memory = np.empty(int(starts[-1]), np.uint8)
        for number, (pack, start, kind) in enumerate(self._places.tolist()):
            size, to = self._layouts[kind].size, int(starts[number])
            memory[to : to + size] = self._packs[pack][start : start + size]
        memory.setflags(write=False)
        places = self._places.copy()
        places[:, 0], places[:, 1] = 0, starts[:-1]
        copied = Items([memory], self._layouts, places)
        copied.nbytes += memory.nbytes
        return copied
