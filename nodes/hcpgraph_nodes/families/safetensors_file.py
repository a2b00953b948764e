"""Weights in .safetensors files, also those in 8-bit floats (torch-free until weights are read).

float8_e4m3fn and float8_e5m2 without a scale are given in bfloat16, which holds every value of both. With a scale they
are given in float32: value · scale, with a scale for the tensor or one for each row (output channel). The names of
scales are `LAYER.scale_weight` and `LAYER.weight_scale`; files of both kinds are ComfyUI's (QUANTIZATION.md of
https://github.com/Comfy-Org/ComfyUI). What else people store in fewer bits is refused.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hcpgraph import GraphError

from .quantised import beside, kept_from_reading, unread

if TYPE_CHECKING:
    from torch import Tensor

HEADER_LIMIT = 100 * 1024 * 1024
SCALES = (".scale_weight", ".weight_scale")
MARKERS = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant", ".scaled_fp8")
FLOAT8 = ("F8_E4M3", "F8_E5M2")
SCALE_TYPES = ("F32", "F16", "BF16")
INTEGERS = ("I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64")
"""Types that are read where they are no weights of a layer, such as the numbers of positions."""
PLAIN = (*SCALE_TYPES, *INTEGERS, "F64", "C64", "BOOL")
"""Types that are given as they are."""
READ_FORMATS = ("float8_e4m3fn", "float8_e5m2")
"""What `LAYER.comfy_quant` may say of a layer that is read."""


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
    except RecursionError:
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
        raise _unreadable(path, error.strerror or error) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _unreadable(path, error if type(error) is ValueError else "its header is damaged") from None
    return metadata, tensors


def is_marker(name: str) -> bool:
    """Whether a tensor says how a weight is stored, and is none."""
    return name.endswith(MARKERS) or name == "scaled_fp8"


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The weights whose names are wanted, see the head of this file.

    Raises:
        GraphError: E_NO_SAFETENSORS; E_QUANTISED, a wanted one is stored in a way that is not read.
    """
    from safetensors import SafetensorError, safe_open

    _, tensors = contents(path)
    names = [name for name in tensors if not is_marker(name) and wanted(name)]
    scales = {name: _scale(name, tensors) for name in names}
    _refuse(path, scales, tensors)
    try:
        with safe_open(path, framework="pt") as file:
            for name in names:
                _refuse_format(path, name, file, tensors)
            return {
                name: dequantised(file.get_tensor(name), None if scale is None else file.get_tensor(scale))
                for name, scale in scales.items()
            }
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def dequantised(stored: Tensor, scale: Tensor | None) -> Tensor:
    """What a stored weight stands for.

    Args:
        stored: The weight as it lies in the file.
        scale: Its factor: one number, or one for each row.
    """
    import torch

    if scale is None:
        return stored.to(torch.bfloat16) if stored.is_floating_point() and stored.element_size() == 1 else stored
    factor = scale.float().reshape((-1, *[1] * (stored.ndim - 1)) if scale.numel() > 1 else ())
    return stored.to(torch.float32, copy=True).mul_(factor)


def _scale(name: str, tensors: Mapping[str, Entry]) -> str | None:
    """The name of a weight's scale, None if it has none."""
    layer = name.removesuffix(".weight")
    return None if layer == name else next((layer + end for end in SCALES if layer + end in tensors), None)


def _refuse(path: Path, scales: Mapping[str, str | None], tensors: Mapping[str, Entry]) -> None:
    """Refuse what is stored in a way that is not read.

    Args:
        scales: The names of the weights that are wanted, and of their scales.
        tensors: All tensors of the file.
    """
    unknown = beside(tensors)
    for name, scale in scales.items():
        dtype, shape = tensors[name]
        if kind := unknown.get(name.removesuffix(".weight")) or kept_from_reading([name]):
            raise unread(path, name, kind)
        if dtype not in (*PLAIN, *FLOAT8):
            raise unread(path, name, f"{dtype} numbers")
        if dtype in INTEGERS and name.endswith("weight") and len(shape) > 1:
            raise unread(path, name, f"integers ({dtype})")
        if scale is not None and not _fits(tensors[scale], shape):
            had = f"{list(tensors[scale].shape)} scales ({tensors[scale].dtype})"
            raise unread(path, name, f"{dtype} weights of {list(shape)} with {had}")


def _fits(scale: Entry, shape: tuple[int, ...]) -> bool:
    """Whether a scale is one number, or one for each row of a weight of these sizes."""
    count = prod(scale.shape)
    rows = len(shape) > 0 and count == shape[0] and scale.shape[:1] == shape[:1]
    return scale.dtype in SCALE_TYPES and (count == 1 or rows)


def _refuse_format(path: Path, name: str, file: Any, tensors: Mapping[str, Entry]) -> None:
    """Refuse a layer whose `comfy_quant`, JSON in bytes, names another format than those that are read."""
    mark = name.removesuffix(".weight") + ".comfy_quant"
    if not name.endswith(".weight") or mark not in tensors:
        return
    try:
        said = json.loads(bytes(file.get_tensor(mark).flatten().tolist()))["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unreadable(path, f"{mark} is damaged") from None
    if said not in READ_FORMATS:
        raise unread(path, name, f"weights in the format {said}")


def _unreadable(path: Path, why: object) -> GraphError:
    return GraphError("E_NO_SAFETENSORS", f"{path.name} cannot be read: {why}", hint="fetch it again")
