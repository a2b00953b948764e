"""Tokens of parts of a conditioning, behind each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..conditioning import Conditioning, every

Tokens = tuple[Tensor, Tensor | None]


def behind(parts: Sequence[Tokens], name: str, port: str) -> Tokens:
    """Tokens (B, L, D) with their masks, one after the other; without any mask there is none.

    Raises:
        GraphError: E_PARTS, they are no tokens or of different widths.
    """
    shapes = [list(tokens.shape) for tokens, _ in parts]
    if any(len(shape) != 3 for shape in shapes) or len({shape[2] for shape in shapes}) > 1:
        raise GraphError(
            "E_PARTS",
            f"tokens of the part '{name}' that stand behind each other have the shapes {shapes}",
            port=port,
            hint="bring them to one width with feature.project or condition.project",
        )
    tokens = torch.cat([each for each, _ in parts], dim=1)
    if all(mask is None for _, mask in parts):
        return tokens, None
    return tokens, torch.cat([every(each) if mask is None else mask for each, mask in parts], dim=1)


def part_of(conditioning: Conditioning, name: str) -> Tensor:
    """A part that a setting names.

    Raises:
        GraphError: E_PARTS, there is none.
    """
    if name not in conditioning.parts:
        known = ", ".join(conditioning.parts)
        raise GraphError("E_PARTS", f"the conditioning has no part '{name}'", hint=f"its parts are {known}")
    return conditioning.parts[name]
