"""LoRA blocks for Linear and Conv2d (LoCon). Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685.

For a k×k convolution `down` is k×k with the layer's stride and padding, `up` is 1×1 (LoCon: Yeh et al. 2023, "LyCORIS",
https://arxiv.org/abs/2309.14859). Files may have the Tucker form of it, with a 1×1 `down` and a k×k `mid` between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .adapter import EXTRA, AdapterBlock, bare, layer_of, operate, precise
from .decompose import axis_of, ratio
from .shapes import bias_of, complete, misfit, reshaped, weight_of, width

N = TypeVar("N", bound=nn.Module)


class LoraBlock(AdapterBlock):
    """Adds `strength · alpha / rank · up(down(dropout(x)))` to the output of a layer.

    Args:
        layer: The layer it is made for; it is not kept.
        tucker: Whether a k×k `mid` stands between 1×1 `down` and `up`; means nothing for Linear and 1×1.
        options: Those of AdapterBlock.

    The weights are empty until `initialise`, `initialise_svd` or `fill`.
    """

    kind: ClassVar[str] = "lora"
    fast: ClassVar[tuple[str, ...]] = ("up.weight",)
    start_down: Tensor | None
    start_up: Tensor | None

    def __init__(self, layer: nn.Module, *, tucker: bool = False, **options: Any) -> None:
        super().__init__(layer, **options)
        self.mid: nn.Conv2d | None = None
        rank, made = self.rank, {"bias": False, "device": self.device, "dtype": torch.float32}
        if isinstance(layer, nn.Conv2d):
            whole = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")}
            inner = layer.in_channels // layer.groups
            if tucker and len(self.shape) == 4 and self.shape[2:] != (1, 1):
                self.down: nn.Linear | nn.Conv2d = _empty(nn.Conv2d, inner, rank, 1, **made)
                self.mid = _empty(nn.Conv2d, rank, rank, layer.kernel_size, **whole, **made)
            else:
                self.down = _empty(nn.Conv2d, inner, rank, layer.kernel_size, **whole, **made)
            self.up: nn.Linear | nn.Conv2d = _empty(nn.Conv2d, rank, layer.out_channels, 1, **made)
        else:
            self.down = _empty(nn.Linear, self.shape[1], rank, **made)
            self.up = _empty(nn.Linear, rank, self.shape[0], **made)
        self.register_buffer("start_down", None)
        self.register_buffer("start_up", None)

    def change(self) -> Tensor:
        up, down = self.up.weight.flatten(1), self.down.weight.flatten(1)
        if self.mid is None:
            product = up @ down
        else:
            product = torch.einsum("mnkl,om,ni->oikl", self.mid.weight, up, down)
        if self.start_up is not None and self.start_down is not None:
            product = product - self.start_up.flatten(1) @ self.start_down.flatten(1)
        return product.reshape(self.shape) * self.factor

    def tensors(self) -> dict[str, Tensor]:
        extra = self.extra_tensors()
        up: Tensor = self.up.weight
        down: Tensor = self.down.weight
        if self.start_up is not None and self.start_down is not None:
            up, down = torch.cat((up, -self.start_up), 1), torch.cat((down, self.start_down))
            extra["alpha"] = extra["alpha"] * 2
        found = {"lora_down.weight": down, "lora_up.weight": up}
        return found | ({} if self.mid is None else {"lora_mid.weight": self.mid.weight}) | extra

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        needed = ("lora_down.weight", "lora_up.weight")
        complete(path, "LoRA", tensors, needed, ("lora_mid.weight", *EXTRA))
        rank = width(path, "down", tensors["lora_down.weight"], 0)
        alpha = float(tensors["alpha"]) if "alpha" in tensors else float(rank)
        made = cls(layer, rank=rank, alpha=alpha, strength=strength, tucker="lora_mid.weight" in tensors)
        made.fill(
            reshaped(path, "down", tensors["lora_down.weight"], made.down.weight.shape),
            reshaped(path, "up", tensors["lora_up.weight"], made.up.weight.shape),
        )
        if "lora_mid.weight" in tensors:
            made._take_mid(tensors["lora_mid.weight"], path)
        return made.take_extra(tensors, path)

    def initialise(self, generator: torch.Generator) -> Self:
        """Kaiming-uniform (a = √5) for `down`, zeros for `up`; drawn on the CPU."""
        weight = torch.empty(self.down.weight.shape)
        nn.init.kaiming_uniform_(weight, a=sqrt(5), generator=generator)
        return self.fill(weight, torch.zeros(self.up.weight.shape))

    @torch.no_grad()
    def initialise_svd(self, weight: Tensor, generator: torch.Generator) -> Self:
        """Start at the largest singular values of the layer's weight, without a change of the layer.

        W, as a matrix (out, in · k · k), is U S Vᵀ. `up` starts as U √S and `down` as √S Vᵀ of the `rank` largest
        singular values, both divided by √(alpha / rank), so that their product with the scale is that part of W. What
        is added to the layer is up(down(x)) less the same with the first values of both, which are kept: exactly 0 at
        the start. In files it is a LoRA of twice the rank. Where the weight has fewer singular values than the rank,
        the rest starts as `initialise` says. Source: Meng et al. 2024, "PiSSA", https://arxiv.org/abs/2404.02948,
        which takes that part out of the layer's weight instead; HCP-Diffusion's svd_init left it there twice.
        """
        self.initialise(generator)
        u, s, vh = torch.linalg.svd(weight.detach().float().flatten(1), full_matrices=False)
        count = min(self.rank, len(s))
        root = (s[:count] / self.factor).sqrt()
        down, up = self.down.weight.detach().clone(), self.up.weight.detach().clone()
        down.flatten(1)[:count] = root[:, None] * vh[:count]
        up.flatten(1)[:, :count] = u[:, :count] * root
        self.start_down, self.start_up = down, up
        return self.fill(down, up)

    @torch.no_grad()
    def fill(self, down: Tensor, up: Tensor) -> Self:
        """Give `down` and `up` their values."""
        self.down.weight.copy_(down)
        self.up.weight.copy_(up)
        return self

    def forward(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.grouped or (self.dora_scale is not None and axis_of(self.dora_scale)):
            return super().forward(host, x, *args, **kwargs)
        if self.dora_scale is not None:
            return self._decomposed(host, x, *args, **kwargs)
        output = self._added(host(x, *args, **kwargs), x)
        return output if self.bias is None else self.with_bias(output, self.bias)

    def _added(self, output: Tensor, x: Tensor) -> Tensor:
        if len(self.shape) == 2 and self.start_up is None and x.dim() > 1:
            inner = functional.linear(self.branch_input(x), self.down.weight)
            if inner.dtype is output.dtype:  # product, scale and sum in one kernel
                rows = output.flatten(0, -2), inner.flatten(0, -2)
                return torch.addmm(*rows, self.up.weight.T, alpha=self.scale).view_as(output)
        return torch.add(output, self._branch(x).to(output.dtype), alpha=self.scale)

    def _branch(self, x: Tensor) -> Tensor:
        x = self.branch_input(x)
        if len(self.shape) == 2:
            branch = functional.linear(functional.linear(x, self.down.weight), self.up.weight)
        else:
            inner = self.down(x)
            branch = self.up(inner if self.mid is None else self.mid(inner))
        if self.start_up is None or self.start_down is None:
            return branch
        if len(self.shape) == 2:
            return branch - functional.linear(functional.linear(x, self.start_down), self.start_up)
        return branch - functional.conv2d(operate(self.down, x, self.start_down, None), self.start_up)

    def _decomposed(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As `delta` says, without a gradient of the whole weight: (r − 1) W x + r alpha / rank up(down(x))."""
        layer = layer_of(host)
        if not torch.is_grad_enabled() and self.merges(host, layer, x):
            return super().forward(host, x, *args, **kwargs)
        assert self.dora_scale is not None
        weight, bias = weight_of(layer), bias_of(layer)
        with precise(x):
            with torch.no_grad():
                whole = weight.float() + self.change()
            share = self.along(ratio(self.dora_scale, whole).flatten())
            own, branch = (share - 1) * self.strength, share * self.scale
        output = host(x, *args, **kwargs)
        if bare(host, layer):
            plain = output if bias is None else output - self.along(bias)
        else:
            plain = operate(layer, x, weight, None)
        changed = own.to(plain.dtype) * plain + branch.to(plain.dtype) * self._branch(x)
        output = output + changed.to(output.dtype)
        return output if self.bias is None else self.with_bias(output, self.bias)

    @torch.no_grad()
    def _take_mid(self, value: Tensor, path: str) -> None:
        if self.mid is None:
            raise misfit(path, "mid", value, (self.rank, self.rank))
        self.mid.weight.copy_(reshaped(path, "mid", value, self.mid.weight.shape))


def _empty(cls: type[N], *args: Any, **kwargs: Any) -> N:
    made: N = nn.utils.skip_init(cls, *args, **kwargs)
    return made
