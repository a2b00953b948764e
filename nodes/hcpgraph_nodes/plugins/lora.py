"""LoRA blocks for Linear and Conv2d. Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from .adapter import AdapterBlock


class LoraBlock(AdapterBlock):
    """Adds `strength · alpha / rank · up(down(dropout(x)))` to the output of a layer.

    For a k×k convolution `down` is k×k with the layer's stride and padding, `up` is 1×1.

    Args:
        layer: The layer it is made for; it is not kept.
        rank: Inner width, ≥ 1.
        alpha: Scale in units of the rank; stored in files as it is.
        dropout: Share of the branch's input that is dropped in training.
        strength: Factor of this use; not stored in files.

    Both weights are empty until `initialise` or `fill`; they are float32.
    """

    kind: ClassVar[str] = "lora"

    def __init__(
        self, layer: nn.Module, *, rank: int, alpha: float, dropout: float = 0.0, strength: float = 1.0
    ) -> None:
        super().__init__()
        self.rank = rank
        self.alpha = alpha
        self.strength = strength
        self.dropout = nn.Dropout(dropout)
        options: dict[str, Any] = {"bias": False, "device": layer.weight.device, "dtype": torch.float32}
        if isinstance(layer, nn.Conv2d):
            if layer.groups != 1:
                raise GraphError(
                    "E_LAYER", "LoRA on a grouped convolution is not defined here", hint="leave the layer out"
                )
            self.down: nn.Module = _empty(
                nn.Conv2d,
                layer.in_channels,
                rank,
                layer.kernel_size,
                stride=layer.stride,
                padding=layer.padding,
                dilation=layer.dilation,
                padding_mode=layer.padding_mode,
                **options,
            )
            self.up: nn.Module = _empty(nn.Conv2d, rank, layer.out_channels, 1, **options)
        else:
            self.down = _empty(nn.Linear, layer.in_features, rank, **options)
            self.up = _empty(nn.Linear, rank, layer.out_features, **options)

    def delta(self) -> Tensor:
        up, down = self.up.weight, self.down.weight
        return (up.flatten(1) @ down.flatten(1)).reshape(len(up), *down.shape[1:]) * self.scale

    def tensors(self) -> dict[str, Tensor]:
        return {
            "lora_down.weight": self.down.weight,
            "lora_up.weight": self.up.weight,
            "alpha": torch.tensor(float(self.alpha)),
        }

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        down, up = tensors["lora_down.weight"], tensors["lora_up.weight"]
        made = cls(layer, rank=len(down), alpha=float(tensors["alpha"]), strength=strength)
        for name, value, own in (("down", down, made.down.weight), ("up", up, made.up.weight)):
            if value.numel() != own.numel() or value.shape[:2] != own.shape[:2]:
                raise GraphError(
                    "E_LORA_SHAPE",
                    f"{path}: {name} has the shape {list(value.shape)}, the layer needs {list(own.shape)}",
                    hint="the file is for a model of other sizes",
                )
        return made.fill(down.reshape(made.down.weight.shape), up.reshape(made.up.weight.shape))

    def initialise(self, generator: torch.Generator) -> LoraBlock:
        """Kaiming-uniform (a = √5) for `down`, zeros for `up`; drawn on the CPU."""
        weight = torch.empty(self.down.weight.shape)
        nn.init.kaiming_uniform_(weight, a=sqrt(5), generator=generator)
        return self.fill(weight, torch.zeros(self.up.weight.shape))

    @torch.no_grad()
    def fill(self, down: Tensor, up: Tensor) -> LoraBlock:
        """Give both weights their values."""
        self.down.weight.copy_(down)
        self.up.weight.copy_(up)
        return self

    def forward(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        output = host(x, *args, **kwargs)
        branch = self.up(self.down(self.dropout(x.to(self.down.weight.dtype)))) * self.scale
        return output + branch.to(output.dtype)


def _empty(cls: type[nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
    return nn.utils.skip_init(cls, *args, **kwargs)
