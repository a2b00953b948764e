"""Tensors of a layer, those from files in the shapes that it needs, and the sizes of what an adapter puts at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isqrt, prod

from torch import Tensor, nn

from hcpgraph import GraphError


def weight_of(layer: nn.Module) -> Tensor:
    """The weight of a Linear, a convolution, an embedding or a norm with one."""
    assert isinstance(layer.weight, Tensor)
    return layer.weight


def bias_of(layer: nn.Module) -> Tensor | None:
    """The bias of such a layer, if it has one."""
    assert layer.bias is None or isinstance(layer.bias, Tensor)
    return layer.bias


def misfit(path: str, name: str, value: Tensor, shape: Sequence[int]) -> GraphError:
    """The error for a tensor of another shape."""
    return GraphError(
        "E_LORA_SHAPE",
        f"{path}: {name} has the shape {list(value.shape)}, the layer needs {list(shape)}",
        hint="the file is for a model of other sizes",
    )


def reshaped(path: str, name: str, value: Tensor, shape: Sequence[int]) -> Tensor:
    """The tensor in the shape asked for: sizes of 1 may be missing, and the last ones may be multiplied into one.

    Raises:
        GraphError: E_LORA_SHAPE.
    """
    wanted = tuple(shape)
    same = value.dim() < 3 or len(wanted) < 3 or value.shape[1] == wanted[1]
    if value.numel() != prod(wanted) or value.shape[:1] != wanted[:1] or not same:
        raise misfit(path, name, value, wanted)
    return value.reshape(wanted)


def width(path: str, name: str, value: Tensor, axis: int) -> int:
    """The inner width that a matrix from a file has along an axis.

    Raises:
        GraphError: E_LORA_SHAPE, it is no matrix or has none.
    """
    if value.dim() < 2 or not value.shape[axis]:
        shape = list(value.shape)
        raise GraphError("E_LORA_SHAPE", f"{path}: {name} has the shape {shape}", hint="the file is damaged")
    return value.shape[axis]


def complete(path: str, kind: str, given: Mapping[str, Tensor], needed: Iterable[str], allowed: Iterable[str]) -> None:
    """Whether all tensors of an algorithm are there, and no others.

    Raises:
        GraphError: E_LORA_KEYS.
    """
    needed = set(needed)
    missing = sorted(needed - given.keys())
    unknown = sorted(given.keys() - needed - set(allowed))
    if missing or unknown:
        said = [f"{', '.join(missing)} missing"] * bool(missing) + [f"{', '.join(unknown)} unknown"] * bool(unknown)
        raise GraphError("E_LORA_KEYS", f"{path}: {'; '.join(said)}", hint=f"the layer's tensors are no whole {kind}")


def factors(size: int, factor: int | None = None) -> tuple[int, int]:
    """Two whole numbers with this product, the smaller one first.

    One of them is `factor` where that divides the size; otherwise the smaller one is the largest divisor that is at
    most `factor` and at most the square root. Source: LyCORIS, functional/general.py, `factorization`.

    Args:
        size: What is divided, ≥ 1.
        factor: ≥ 1, or None for as near to the square root as can be.
    """
    if factor is not None and size % factor == 0:
        return min(factor, size // factor), max(factor, size // factor)
    most = isqrt(size) if factor is None else min(isqrt(size), factor)
    smaller = max(divisor for divisor in range(1, most + 1) if size % divisor == 0)
    return smaller, size // smaller
