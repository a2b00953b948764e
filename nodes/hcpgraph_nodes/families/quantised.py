"""Weights that are stored in fewer bits in ways that are not read: how they are told, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hcpgraph import GraphError

NF4, INT8 = "4-bit weights of bitsandbytes", "8-bit weights of bitsandbytes"
PACKED = "packed integers (GPTQ, AWQ or SVDQuant)"
SCALED_TWICE = "weights with more than one scale (NVFP4 or others)"
BESIDE = {
    **dict.fromkeys(("absmax", "nested_absmax", "quant_map", "nested_quant_map"), NF4),
    **dict.fromkeys(("SCB", "weight_format"), INT8),
    **dict.fromkeys(("qweight", "qzeros", "wscales"), PACKED),
    **dict.fromkeys(("weight_scale_2", "pre_quant_scale"), SCALED_TWICE),
    "weight_scale_inv": "weights with a scale for each block",
}
"""Last part of the name of what lies beside such a weight, and what the weight is."""
STATE = ".quant_state."
"""Within the names of what bitsandbytes writes beside 4-bit weights."""
REMEDY = "give the model in bfloat16, float16 or float8, or as .gguf"


def beside(names: Iterable[str]) -> dict[str, str]:
    """The layers whose weights are not read, by what lies beside these: layer -> what they are.

    Args:
        names: All names in a file.
    """
    found = {}
    for name in names:
        layer, _, end = name.rpartition(".")
        if STATE in name:
            found[name.partition(STATE)[0].removesuffix(".weight")] = NF4
        elif end in BESIDE:
            found[layer.removesuffix(".weight")] = BESIDE[end]
    return found


def kept_from_reading(names: Iterable[str]) -> str | None:
    """What a file with tensors of these names has that is not read; None: nothing that names tell."""
    return next(iter(beside(names).values()), None)


def unread(path: Path, name: str, kind: str) -> GraphError:
    """The error for a weight of a kind that is not read."""
    return GraphError("E_QUANTISED", f"{path.name} holds {kind}, such as {name}", port="path", hint=REMEDY)
