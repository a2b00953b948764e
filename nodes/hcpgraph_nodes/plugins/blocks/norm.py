"""Norm blocks: a change of the weight and bias of a normalisation, as LyCORIS and ComfyUI's trainer write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from .adapter import AdapterBlock, layer_of
from .shapes import complete, reshaped


class NormBlock(AdapterBlock):
    """Adds `strength · (diff · n(x) + diff_b)` to the output of a GroupNorm or LayerNorm, with n(x) the bare norm.

    Source: LyCORIS, modules/norms.py (`w_norm`, `b_norm`). It has no rank or alpha.

    Args:
        layer: The layer it is made for; it is not kept.
        options: Those of AdapterBlock without rank and alpha.
    """

    wraps: ClassVar[tuple[type[nn.Module], ...]] = (nn.GroupNorm, nn.LayerNorm)
    hyper_params: ClassVar[tuple[str, ...]] = ("strength",)
    kind: ClassVar[str] = "norm"

    def __init__(self, layer: nn.Module, **options: Any) -> None:
        super().__init__(layer, rank=1, alpha=1.0, **options)
        self.diff = nn.Parameter(torch.zeros(self.shape, device=self.device))

    def change(self) -> Tensor:
        return self.diff

    def tensors(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {"diff": self.diff}
        return found if self.bias is None else found | {"diff_b": self.bias}

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        complete(path, "difference of a norm", tensors, ("diff",), ("diff_b",))
        made = cls(layer, strength=strength)
        with torch.no_grad():
            made.diff.copy_(reshaped(path, "diff", tensors["diff"], made.shape))
        return made.take_extra(tensors, path)

    def forward(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        layer, output = layer_of(host), host(x, *args, **kwargs)
        if isinstance(layer, nn.GroupNorm):
            normed = functional.group_norm(x.float(), layer.num_groups, eps=layer.eps)
            column = (-1, *(1,) * (x.dim() - 2))
        else:
            assert isinstance(layer, nn.LayerNorm)
            normed = functional.layer_norm(x.float(), layer.normalized_shape, eps=layer.eps)
            column = (-1,)
        change = normed * self.diff.reshape(column)
        if self.bias is not None:
            change = change + self.bias.reshape(column)
        return torch.add(output, change.to(output.dtype), alpha=self.strength)
