"""Weight files of the kinds that people have, .safetensors and .gguf: what is in them, and their weights as numbers.

`header` needs neither torch nor the weights. `read` gives weights as a network computes with them: what is stored in
fewer bits is given in a precision that holds the stored values exactly, see `safetensors_file` and `gguf_file`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hcpgraph import GraphError

from . import gguf_file, safetensors_file

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".gguf")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        metadata: Its entries. Of a .gguf those that are texts, numbers and truths, and as JSON lists of at most 64
            numbers, such as `general.architecture`; of a file without any, none.
        shapes: Sizes of its weights by name, in torch's order. What says how others are stored is left out.
    """

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]


def header(path: Path) -> Header:
    """The header of a .safetensors or .gguf file.

    Raises:
        GraphError: E_NO_SAFETENSORS, it is none of these, or a .safetensors that cannot be read; E_FILE, a .gguf that
            cannot be read; E_PACKAGE, it is a .gguf whose weights only the extra `gguf` can read.
    """
    if path.suffix == ".gguf":
        stored = gguf_file.contents(path)
        return Header(stored.metadata, {name: entry.shape for name, entry in stored.tensors.items()})
    _known(path)
    metadata, tensors = safetensors_file.contents(path)
    shapes = {name: entry.shape for name, entry in tensors.items() if not safetensors_file.is_marker(name)}
    return Header(metadata, shapes)


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The weights of a .safetensors or .gguf file whose names in `header` are wanted, on the CPU.

    Beside the result there is one tensor in memory at most.

    Raises:
        GraphError: as `header`, and E_QUANTISED, a wanted one is stored in a way that is not read; nothing was read.
    """
    if path.suffix == ".gguf":
        return gguf_file.read(path, wanted)
    _known(path)
    return safetensors_file.read(path, wanted)


def _known(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        message = f"{path.name} is no {' or '.join(SUFFIXES)} file"
        raise GraphError("E_NO_SAFETENSORS", message, hint="convert it to safetensors")
