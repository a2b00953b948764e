"""Weights in .gguf files (torch-free until they are read).

Floats are given as they are stored, quantised weights in float32, computed by the package `gguf`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from .gguf_file import INTEGERS, PLAIN, Entry, contents, damaged
from .quantised import unread

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEP = 1 << 16
"""Numbers that are computed at a time: few enough for a processor's cache."""


def read(
    path: Path, wanted: Callable[[str], bool], dtype: torch.dtype | None = None, *, sizes_only: bool = False
) -> dict[str, Tensor]:
    """The weights whose names are wanted, see the head of this file.

    Args:
        path: The file.
        wanted: Whether a name is.
        dtype: What quantised weights are rounded to; None: they stay in float32.
        sizes_only: Give them on the device `meta`, without reading numbers.

    Raises:
        GraphError: E_FILE; E_PACKAGE; E_QUANTISED, `gguf` cannot compute a wanted one.
    """
    tensors = {name: entry for name, entry in contents(path).tensors.items() if wanted(name)}
    sizes = {name: _size(path, name, entry) for name, entry in tensors.items()}
    state: dict[str, Tensor] = {}
    try:
        whole = path.stat().st_size
        if any(entry.offset + sizes[name] > whole for name, entry in tensors.items()):
            raise damaged(path, "it is cut off")
        if sizes_only:
            return {name: _sized(entry) for name, entry in tensors.items()}
        with path.open("rb") as file:
            for name, entry in tensors.items():
                stored = bytearray(sizes[name])
                file.seek(entry.offset)
                file.readinto(stored)
                values = _plain(stored, entry.kind) if entry.kind in PLAIN else _dequantised(stored, entry.kind, dtype)
                state[name] = values.reshape(entry.shape)
    except OSError as error:
        raise damaged(path, error.strerror or error) from None
    return state


def _sized(entry: Entry) -> Tensor:
    import torch

    return torch.empty(entry.shape, dtype=getattr(torch, PLAIN.get(entry.kind, "float32")), device="meta")


def _plain(stored: bytearray, kind: int) -> Tensor:
    import torch

    dtype = getattr(torch, PLAIN[kind])
    return torch.frombuffer(stored, dtype=dtype) if stored else torch.empty(0, dtype=dtype)


def _dequantised(stored: bytearray, kind: int, dtype: torch.dtype | None) -> Tensor:
    """The numbers that blocks of a type stand for, one after the other."""
    import numpy as np
    import torch
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    named = GGMLQuantizationType(kind)
    numbers, size = GGML_QUANT_SIZES[named]
    blocks = np.frombuffer(stored, np.uint8).reshape(-1, size)
    values = torch.empty((len(blocks), numbers), dtype=dtype or torch.float32)
    step = STEP // numbers
    for start in range(0, len(blocks), step):
        part = slice(start, start + step)
        values[part] = torch.from_numpy(dequantize(blocks[part].reshape(1, -1), named)).reshape(-1, numbers)
    return values


def _size(path: Path, name: str, entry: Entry) -> int:
    """Bytes of a tensor that is read."""
    if entry.kind in INTEGERS and name.endswith("weight") and len(entry.shape) > 1:
        raise unread(path, name, f"integers ({INTEGERS[entry.kind]})")
    if entry.kind in PLAIN:
        import torch

        return prod(entry.shape) * int(getattr(torch, PLAIN[entry.kind]).itemsize)
    block, size = _block(path, name, entry.kind)
    if entry.row % block:
        raise damaged(path, f"{name} has rows of {entry.row} numbers in blocks of {block}")
    return prod(entry.shape) // block * size


def _block(path: Path, name: str, kind: int) -> tuple[int, int]:
    """Numbers and bytes of a block of a quantised type, which `gguf` can compute."""
    import numpy as np
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    try:
        named = GGMLQuantizationType(kind)
    except ValueError:
        raise unread(path, name, f"weights of a type that gguf does not know (number {kind})") from None
    block, size = GGML_QUANT_SIZES[named]
    try:
        dequantize(np.zeros((1, size), np.uint8), named)
    except NotImplementedError:
        raise unread(path, name, f"{named.name} weights, which gguf does not compute") from None
    return block, size
