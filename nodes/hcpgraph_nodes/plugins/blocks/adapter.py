"""What all adapters are: small weights that stand for a change of one layer's weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from hcpgraph import GraphError

from ... import private
from ..base import WrapPluginBlock
from . import decompose
from .shapes import bias_of, reshaped, weight_of

EXTRA = ("alpha", "dora_scale", "diff_b")
"""Suffixes that an adapter of any kind may have in a file."""
PLAIN = (nn.Linear.forward, nn.Conv2d.forward)


class AdapterBlock(WrapPluginBlock):
    """A change of the weight, and perhaps of the bias, of one Linear or Conv2d layer.

    The layer gives `layer(x) + op(dropout(x), delta)`, where `op` is the layer's own kind of operation. Several of them
    at one layer add up, each with the change that it would make alone.

    Args:
        layer: The layer it is made for; it is not kept.
        rank: Inner width, ≥ 1.
        alpha: Scale in units of the rank; stored in files as it is.
        dropout: Share of the branch's input that is dropped in training.
        strength: Factor of this use; not stored in files.
        bias: Whether a change of the bias is trained too, 0 at first and never scaled by alpha / rank.
        decomposed: Whether it is weight-decomposed (DoRA), see `decompose`.

    Attributes:
        kind: The algorithm, as in `kinds.BLOCKS`.
        shape: Shape of the layer's weight.
        bias: Change of the layer's bias (out,), or None.
        dora_scale: Magnitudes (out, 1, …), in files of others also (1, in, …), or None.
        fast: Names of the weights that LoRA+ gives a higher learning rate.

    All weights are float32.
    """

    wraps: ClassVar[tuple[type[nn.Module], ...]] = (nn.Linear, nn.Conv2d)
    hyper_params: ClassVar[tuple[str, ...]] = ("alpha", "strength")
    kind: ClassVar[str]
    fast: ClassVar[tuple[str, ...]] = ()
    bias: nn.Parameter | None
    dora_scale: nn.Parameter | None

    def __init__(
        self,
        layer: nn.Module,
        *,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        strength: float = 1.0,
        bias: bool = False,
        decomposed: bool = False,
    ) -> None:
        super().__init__()
        self.rank = rank
        self.alpha = alpha
        self.strength = strength
        weight = weight_of(layer)
        self.shape: tuple[int, ...] = tuple(weight.shape)
        self.device: torch.device = weight.device
        self.grouped: bool = getattr(layer, "groups", 1) > 1
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(self.shape[0], device=self.device)) if bias else None
        self.dora_scale = nn.Parameter(decompose.magnitude(weight)) if decomposed else None

    @property
    def factor(self) -> float:
        """alpha / rank."""
        return self.alpha / self.rank

    @property
    def scale(self) -> float:
        """Factor of the change."""
        return self.strength * self.factor

    def change(self) -> Tensor:
        """alpha / rank times what the weights stand for, float32, in the shape of the layer's weight; for gradients."""
        raise NotImplementedError

    @torch.no_grad()
    def delta(self, weight: Tensor | None = None) -> Tensor:
        """The change of the layer's weight, float32, in its shape, with scale and strength.

        Args:
            weight: The layer's own weight; only a decomposed block needs it.

        Raises:
            GraphError: E_ADAPTER, the block is decomposed and the weight was not given.
        """
        return self._difference(weight)

    @torch.no_grad()
    def delta_bias(self) -> Tensor | None:
        """The change of the layer's bias (out,), float32, with strength."""
        return None if self.bias is None else self.bias * self.strength

    def tensors(self) -> dict[str, Tensor]:
        """Its weights by LyCORIS' suffixes (https://github.com/KohakuBlueleaf/LyCORIS).

        `alpha` is among them where the algorithm has one, and `dora_scale` and `diff_b` where the block has them.
        """
        raise NotImplementedError

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        """The block that `tensors` describes; 1×1 convolutions and linear layers take each other's weights.

        Args:
            layer: The layer it is made for; it is not kept.
            tensors: What `tensors` gave; without `alpha` it is the rank.
            strength: Factor of this use.
            path: The layer's name, for messages.

        Raises:
            GraphError: E_LORA_SHAPE; E_LORA_KEYS, tensors are missing or unknown.
        """
        raise NotImplementedError

    def forward(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        layer = layer_of(host)
        weight = weight_of(layer)
        with precise(x):
            difference = self._difference(weight)
        bias = None if self.bias is None else self.bias * self.strength
        if self.merges(host, layer, x):
            own = bias_of(layer)
            total = own if bias is None else bias if own is None else own + bias
            return operate(layer, x, weight + difference, total)
        output = host(x, *args, **kwargs)
        return output + operate(layer, self.branch_input(x), difference, bias).to(output.dtype)

    def merges(self, host: Callable[..., Tensor], layer: nn.Module, x: Tensor) -> bool:
        """Whether to run the layer once with the sum of the weights instead of twice.

        Only a bare layer in float32: in half precision the sum would lose small changes.
        """
        return (
            bare(host, layer)
            and weight_of(layer).dtype is x.dtype is torch.float32
            and not (self.training and self.dropout.p)
            and not torch.is_autocast_enabled(x.device.type)
        )

    def branch_input(self, x: Tensor) -> Tensor:
        """The branch's input: dropped in training, and in float32 where no autocast will choose a precision."""
        if self.training and self.dropout.p:
            x = self.dropout(x)
        return x if x.dtype is torch.float32 or torch.is_autocast_enabled(x.device.type) else x.float()

    def along(self, values: Tensor) -> Tensor:
        """One value an output channel (out,), in a shape that goes with the layer's output."""
        return values if len(self.shape) == 2 else values[:, None, None]

    def with_bias(self, output: Tensor, bias: Tensor) -> Tensor:
        """The output and the change of the bias."""
        return torch.add(output, self.along(bias).to(output.dtype), alpha=self.strength)

    def extra_tensors(self) -> dict[str, Tensor]:
        """`alpha`, and `dora_scale` and `diff_b` where there are any."""
        found = {"alpha": torch.tensor(float(self.alpha)), "dora_scale": self.dora_scale, "diff_b": self.bias}
        return {name: value for name, value in found.items() if value is not None}

    @torch.no_grad()
    def take_extra(self, tensors: Mapping[str, Tensor], path: str) -> Self:
        """Take over `dora_scale` and `diff_b`.

        Raises:
            GraphError: E_LORA_SHAPE.
        """
        if "diff_b" in tensors:
            value = reshaped(path, "diff_b", tensors["diff_b"], self.shape[:1])
            self.bias = nn.Parameter(value.to(self.device, torch.float32, copy=True))
        if "dora_scale" in tensors:
            value = decompose.fitted(tensors["dora_scale"], self.shape, path)
            self.dora_scale = nn.Parameter(value.to(self.device, torch.float32, copy=True))
        return self

    def empty(self, *shape: int) -> nn.Parameter:
        """A parameter without values on the layer's device."""
        return nn.Parameter(torch.empty(shape, device=self.device))

    def _difference(self, weight: Tensor | None) -> Tensor:
        if self.dora_scale is None:
            return self.change() * self.strength
        if weight is None:
            raise decompose.needs_weight(self.kind)
        whole = weight.float() + self.change()
        return (whole * decompose.ratio(self.dora_scale, whole) - weight.float()) * self.strength


def layer_of(host: Callable[..., Any]) -> nn.Module:
    """The layer at the bottom of what a block is given to call: every call of the tap has the one below it first.

    Raises:
        GraphError: E_ADAPTER, something else stands between that hides it.
    """
    below: Any = host
    while not isinstance(below, nn.Module):
        if not isinstance(below, partial) or not below.args:
            raise GraphError(
                "E_ADAPTER",
                f"{type(below).__name__} hides the layer's weight from an adapter that needs it",
                hint="attach the adapter first, and the plugin around it afterwards",
            )
        below = below.args[0]
    return below


def bare(host: Callable[..., Any], layer: nn.Module) -> bool:
    """Whether calling the host runs the plain layer and nothing else."""
    return not isinstance(host, nn.Module) and host.args[0] is layer and type(layer).forward in PLAIN  # type: ignore[attr-defined]


def operate(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What a Linear or Conv2d layer does, with another weight and bias."""
    if isinstance(layer, nn.Conv2d):
        return private.convolved(layer, x, weight, bias)
    return functional.linear(x, weight, bias)


def precise(x: Tensor) -> AbstractContextManager[Any]:
    """Weights are made of weights in float32, whatever the precision of the step."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
