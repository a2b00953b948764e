"""Latents as tokens, each a square of 2 × 2 of them, and the places of tokens, as in FLUX.1 and what follows it.

Source: `prepare` in https://github.com/black-forest-labs/flux (sampling.py); `_pack_latents` of FluxPipeline in
diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 2
"""Latents a side of a token's square."""


def pack(latents: Tensor) -> Tensor:
    """Tokens (B, hw / 4, 4C) of latents (B, C, h, w) with even sides; the channels are in the order (c, y, x)."""
    return functional.pixel_unshuffle(latents, SIDE).flatten(2).transpose(1, 2)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """Latents (B, C, h, w) of tokens (B, hw / 4, 4C)."""
    squares = tokens.transpose(1, 2).unflatten(2, (height // SIDE, width // SIDE))
    return functional.pixel_shuffle(squares, SIDE)


def places(shape: Sequence[int], picture: int = 0, top: int = 0, left: int = 0) -> Tensor:
    """The places (hw / 4, 3) of the tokens of latents (…, h, w): which picture, row, column; float32.

    Args:
        shape: Of the latents.
        picture: 0: the one that is made; 1: one that it is made after.
        top: Row of the first token.
        left: Column of the first token.
    """
    rows, columns = torch.arange(shape[-2] // SIDE) + top, torch.arange(shape[-1] // SIDE) + left
    grid = torch.cartesian_prod(rows, columns).float()
    return functional.pad(grid, (1, 0), value=float(picture))


def reference_places(references: Sequence[Tensor]) -> list[Tensor]:
    """The places of the tokens of reference pictures, latents (B, C, h, w).

    The first begins at row and column 0, as FLUX.1 Kontext was trained; the others lie beside what is there, where the
    whole stays the more square, as ComfyUI puts them (`ref_latents_method` offset).
    """
    found, height, width = [], 0, 0
    for each in references:
        rows, columns = each.shape[-2] // SIDE, each.shape[-1] // SIDE
        beside = rows + height > columns + width
        top, left = (0, width) if beside else (height, 0)
        height, width = max(height, rows + top), max(width, columns + left)
        found.append(places(each.shape, 1, top, left))
    return found
