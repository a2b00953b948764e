"""The headers of .safetensors files (torch-free): https://github.com/huggingface/safetensors#format."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

from hcpgraph import GraphError

HEADER_LIMIT = 100 * 1024 * 1024
SCALES = (".scale_weight", ".weight_scale")
"""Behind a layer's name: the factor of its weight."""
MARKERS = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant", ".scaled_fp8")


class Entry(NamedTuple):
    """Type and sizes of a tensor, as its file says."""

    dtype: str
    shape: tuple[int, ...]


def safetensors_header(path: Path) -> dict[str, Any]:
    """The header of a .safetensors file: tensor name -> dtype, shape and offsets, and `__metadata__`.

    Raises:
        ValueError: not a safetensors file.
    """
    with path.open("rb") as file:
        return _header(file, path.name)


def _header(file: Any, name: str) -> dict[str, Any]:
    start = file.read(8)
    if len(start) < 8:
        raise ValueError(f"{name} is too short for a safetensors file")
    (length,) = struct.unpack("<Q", start)
    if length > HEADER_LIMIT:
        raise ValueError(f"{name} is no safetensors file")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"{name} is no safetensors file")
    return header


def contents(path: Path) -> tuple[dict[str, str], dict[str, Entry]]:
    """The texts in a file's header, and all its tensors by name.

    Raises:
        GraphError: E_NO_SAFETENSORS.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path.name)
            begin, size = file.tell(), path.stat().st_size
        metadata = header.pop("__metadata__", None) or {}
        if not all(isinstance(text, str) for text in metadata.values()):
            raise ValueError("an entry of its header is no text")
        tensors = {}
        for name, entry in header.items():
            tensors[name] = Entry(str(entry["dtype"]), tuple(int(length) for length in entry["shape"]))
            if begin + entry["data_offsets"][1] > size:
                raise ValueError("it is cut off")
    except OSError as error:
        raise unreadable(path, error.strerror or error) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise unreadable(path, error if type(error) is ValueError else "its header is damaged") from None
    return metadata, tensors


def is_marker(name: str) -> bool:
    """Whether a tensor says how a weight is stored, and is none."""
    return name.endswith(MARKERS) or name == "scaled_fp8"


def unreadable(path: Path, why: object) -> GraphError:
    """The error for a file that cannot be read."""
    return GraphError("E_NO_SAFETENSORS", f"{path.name} cannot be read: {why}", hint="fetch it again")
