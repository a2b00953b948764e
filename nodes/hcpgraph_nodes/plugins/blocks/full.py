"""Full blocks: a change of a layer's weight and bias without any restriction.

It is what LyCORIS calls `full`. Kumari et al. 2023, "Custom Diffusion", https://arxiv.org/abs/2212.04488, trains it on
the key and value projections of cross attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from .adapter import AdapterBlock
from .shapes import complete, reshaped


class FullBlock(AdapterBlock):
    """Changes a weight by `diff` and, with `bias`, a bias by `diff_b`; both are 0 at first. It has no rank or alpha.

    Args:
        layer: The layer it is made for; it is not kept.
        options: Those of AdapterBlock without rank and alpha.
    """

    kind: ClassVar[str] = "full"
    hyper_params: ClassVar[tuple[str, ...]] = ("strength",)

    def __init__(self, layer: nn.Module, **options: Any) -> None:
        super().__init__(layer, rank=1, alpha=1.0, **options)
        self.diff = nn.Parameter(torch.zeros(self.shape, device=self.device))

    def change(self) -> Tensor:
        return self.diff

    def tensors(self) -> dict[str, Tensor]:
        return {"diff": self.diff} | {name: value for name, value in self.extra_tensors().items() if name != "alpha"}

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        complete(path, "difference", tensors, ("diff",), ("diff_b",))
        made = cls(layer, strength=strength)
        with torch.no_grad():
            made.diff.copy_(reshaped(path, "diff", tensors["diff"], made.shape))
        return made.take_extra(tensors, path)
