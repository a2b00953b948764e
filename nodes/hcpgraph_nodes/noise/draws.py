"""Gaussian draws for the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hcpgraph import Context

from ..types import Keys


def row_keys(keys: Keys | None, count: int) -> Keys:
    """The sample keys of a batch; rows that came from no data set are named by their position."""
    return tuple(("", 0, index) for index in range(count)) if keys is None else keys


def normal_rows(ctx: Context, shape: Sequence[int], keys: Keys | None) -> Tensor:
    """Standard normal numbers (B, …), float32, on the device: row i depends on the node's stream and key i alone."""
    return ctx.normal(shape, row_keys(keys, shape[0]))


def draw(generators: Sequence[torch.Generator], shape: Sequence[int]) -> Tensor:
    """Standard normal numbers (B, …), float32, on the CPU: row i from generator i.

    A row is drawn with a leading size of 1, as `diffusers.utils.torch_utils.randn_tensor` does.
    """
    return torch.cat([torch.randn((1, *shape[1:]), generator=generator) for generator in generators])
