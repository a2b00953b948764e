"""Nodes that change what they are given, and values that can be changed."""

from dataclasses import dataclass

import numpy as np
import torch

from hcpgraph import Context, node
from hcpgraph.types import port_type


@port_type()
@dataclass(frozen=True)
class Zeros:
    """Zeros in two forms."""

    data: torch.Tensor
    array: np.ndarray


@node("changing.zeros")
def zeros() -> Zeros:
    """Three zeros."""
    return Zeros(torch.zeros(3), np.zeros(3))


@node("changing.tensor")
def tensor(zeros: Zeros, *, by: float = 1.0) -> float:
    """Add to a tensor in place, which nobody may.

    Args:
        zeros: What is changed.
        by: What is added.
    """
    return float(zeros.data.add_(by).sum())


@node("changing.array")
def array(zeros: Zeros) -> float:
    """Add to an array in place, which nobody may.

    Args:
        zeros: What is changed.
    """
    zeros.array[:] += 1
    return float(zeros.array.sum())


@node("changing.append")
def append(numbers: list[float]) -> float:
    """Append to a list, which is its own copy.

    Args:
        numbers: The list.
    """
    numbers.append(1000.0)
    return float(sum(numbers))


@node("changing.reads_more", effects="step")
def reads_more(ctx: Context, *, text: str = "data:a.txt") -> str:
    """Read a file that no path setting names.

    Args:
        text: Where it lies.
    """
    return ctx.path(text).read_text()
