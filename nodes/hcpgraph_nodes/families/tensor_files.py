"""Weight files of the kinds that people have, .safetensors and .gguf: what is in them, and their weights as numbers.

`header` needs neither torch nor the weights. `read` gives weights as a network computes with them: what is stored in
fewer bits is given in a precision that holds the stored values exactly, see `safetensors_weights` and `gguf_weights`.
Within `reading_for` it is rounded at once to the precision in which a network is kept: the same numbers as if it were
rounded later, but a model of 12 billion weights that runs in bfloat16 is never in memory in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from . import gguf_weights, safetensors_weights
from .file_header import SUFFIXES, Header, header, known

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["SUFFIXES", "Header", "header", "read", "reading_for"]

_TARGET: ContextVar[tuple[torch.dtype, bool] | None] = ContextVar("target", default=None)
"""The precision in which weights are kept that are read now, and whether only their sizes are."""


@contextmanager
def reading_for(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Within it weights are read for a network that is kept so.

    Args:
        device: `meta`: no weight is read, there are only sizes.
        dtype: Weights that are computed from fewer bits are rounded to it one by one.
    """
    token = _TARGET.set((dtype, device.type == "meta"))
    try:
        yield
    finally:
        _TARGET.reset(token)


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The weights of a .safetensors or .gguf file whose names in `header` are wanted, on the CPU; see `reading_for`.

    Beside the result there is one tensor in memory at most.

    Raises:
        GraphError: as `header`, and E_QUANTISED, a wanted one is stored in a way that is not read; nothing was read.
    """
    known(path)
    read_file = gguf_weights.read if path.suffix == ".gguf" else safetensors_weights.read
    dtype, sizes_only = _TARGET.get() or (None, False)
    return read_file(path, wanted, dtype, sizes_only=sizes_only)
