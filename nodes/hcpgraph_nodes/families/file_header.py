"""What a weight file says of itself, .safetensors or .gguf (torch-free)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hcpgraph import GraphError

from . import safetensors_file

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
        from . import gguf_file

        stored = gguf_file.contents(path)
        return Header(stored.metadata, {name: entry.shape for name, entry in stored.tensors.items()})
    known(path)
    metadata, tensors = safetensors_file.contents(path)
    shapes = {name: entry.shape for name, entry in tensors.items() if not safetensors_file.is_marker(name)}
    return Header(metadata, shapes)


def refuse_quantised(path: Path) -> None:
    """Say of a file that no family knows that it holds weights in a way that is not read, where names tell it.

    Raises:
        GraphError: E_QUANTISED; as `header`.
    """
    from .quantised import beside, unread

    if path.is_file() and path.suffix in SUFFIXES and (found := beside(header(path).shapes)):
        raise unread(path, *next(iter(found.items())))


def known(path: Path) -> None:
    """Refuse files that are none of these. Raises GraphError E_NO_SAFETENSORS."""
    if path.suffix not in SUFFIXES:
        message = f"{path.name} is no {' or '.join(SUFFIXES)} file"
        raise GraphError("E_NO_SAFETENSORS", message, hint="convert it to safetensors")
