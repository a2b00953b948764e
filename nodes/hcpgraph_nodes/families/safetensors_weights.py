"""Weights in .safetensors files, also those in 8-bit floats (torch-free until they are read).

float8_e4m3fn and float8_e5m2 without a scale are given in bfloat16, which holds every value of both. With a scale they
are given in float32: value · scale, with a scale for the tensor or one for each row (output channel). The names of
scales are `LAYER.scale_weight` and `LAYER.weight_scale`; files of both kinds are ComfyUI's (QUANTIZATION.md of
https://github.com/Comfy-Org/ComfyUI). What else people store in fewer bits is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .quantised import beside, kept_from_reading, unread
from .safetensors_file import SCALES, Entry, contents, is_marker, unreadable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FLOAT8 = ("F8_E4M3", "F8_E5M2")
SCALE_TYPES = ("F32", "F16", "BF16")
INTEGERS = ("I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64")
"""Types that are read where they are no weights of a layer, such as the numbers of positions."""
PLAIN = (*SCALE_TYPES, *INTEGERS, "F64", "C64", "BOOL")
"""Types that are given as they are."""
READ_FORMATS = ("float8_e4m3fn", "float8_e5m2")
"""What `LAYER.comfy_quant` may say of a layer that is read."""


def read(
    path: Path, wanted: Callable[[str], bool], dtype: torch.dtype | None = None, *, sizes_only: bool = False
) -> dict[str, Tensor]:
    """The weights whose names are wanted, see the head of this file.

    Args:
        path: The file.
        wanted: Whether a name is.
        dtype: What weights with a scale are rounded to; None: they stay in float32.
        sizes_only: Give them on the device `meta`, without reading numbers.

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
            if sizes_only:
                return {name: file.get_tensor(name).to("meta") for name in names}
            return {
                name: dequantised(file.get_tensor(name), None if scale is None else file.get_tensor(scale), dtype)
                for name, scale in scales.items()
            }
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from None


def dequantised(stored: Tensor, scale: Tensor | None, dtype: torch.dtype | None = None) -> Tensor:
    """What a stored weight stands for.

    Args:
        stored: The weight as it lies in the file.
        scale: Its factor: one number, or one for each row.
        dtype: As in `read`.
    """
    import torch

    if scale is None:
        return stored.to(torch.bfloat16) if stored.is_floating_point() and stored.element_size() == 1 else stored
    factor = scale.float().reshape((-1, *[1] * (stored.ndim - 1)) if scale.numel() > 1 else ())
    return stored.to(torch.float32, copy=True).mul_(factor).to(dtype or torch.float32)


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
        raise unreadable(path, f"{mark} is damaged") from None
    if said not in READ_FORMATS:
        raise unread(path, name, f"weights in the format {said}")
