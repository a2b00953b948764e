"""LoKr blocks: the Kronecker product of a small and a larger matrix.

Source: Yeh et al. 2023, "LyCORIS", https://arxiv.org/abs/2309.14859, section 3; the sizes are those of its code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from .adapter import EXTRA, AdapterBlock, layer_of, operate
from .loha import rebuilt
from .shapes import complete, factors, misfit, reshaped, weight_of, width

Size = tuple[int, int]


class LokrBlock(AdapterBlock):
    """Changes a weight by `alpha / rank · w1 ⊗ w2`, with either factor whole or a product of two matrices.

    out = out1 · out2 and in = in1 · in2; w1 is (out1, in1), w2 (out2, in2, k, k). As a product w1 is w1_a (out1, rank)
    times w1_b (rank, in1), and w2 is w2_a (out2, rank) times w2_b (rank, in2 · k · k). Its Tucker form, only in files,
    is t2 (rank, rank, k, k) with w2_a (rank, out2) and w2_b (rank, in2). Where both are whole the scale is 1,
    whatever alpha is.

    Args:
        layer: The layer it is made for; it is not kept.
        first: Size of w1; `sizes` gives the usual one.
        split: Whether w1 and w2 are products.
        tucker: Whether w2 has the Tucker form; means nothing for Linear and 1×1.
        options: Those of AdapterBlock.

    The weights are empty until `initialise` or `from_tensors`.
    """

    kind: ClassVar[str] = "lokr"

    def __init__(
        self, layer: nn.Module, *, first: Size, split: tuple[bool, bool], tucker: bool = False, **options: Any
    ) -> None:
        super().__init__(layer, **options)
        rank, (out, inner, *kernel) = self.rank, self.shape
        second = (out // first[0], inner // first[1])
        self.first, self.second, self.split = first, second, split
        self.tucker = tucker and split[1] and prod(kernel) > 1
        if split[0]:
            self.lokr_w1_a, self.lokr_w1_b = self.empty(first[0], rank), self.empty(rank, first[1])
        else:
            self.lokr_w1 = self.empty(*first)
        if self.tucker:
            self.lokr_t2 = self.empty(rank, rank, *kernel)
            self.lokr_w2_a, self.lokr_w2_b = self.empty(rank, second[0]), self.empty(rank, second[1])
        elif split[1]:
            self.lokr_w2_a = self.empty(second[0], rank)
            self.lokr_w2_b = self.empty(rank, second[1] * prod(kernel))
        else:
            self.lokr_w2 = self.empty(*second, *kernel)

    @staticmethod
    def sizes(layer: nn.Module, rank: int, factor: int | None, both: bool) -> tuple[Size, tuple[bool, bool]]:
        """Size of w1, and whether w1 and w2 are products: only where that makes them smaller, and w1 only if `both`."""
        out, inner = weight_of(layer).shape[:2]
        (out1, out2), (in1, in2) = factors(out, factor), factors(inner, factor)
        return (out1, in1), (both and rank < max(out1, in1) / 2, rank < max(out2, in2) / 2)

    @property
    def factor(self) -> float:
        return self.alpha / self.rank if any(self.split) else 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Suffixes of its weights."""
        return names_of(self.split, self.tucker)

    def small(self) -> Tensor:
        """w1 (out1, in1)."""
        return self.lokr_w1_a @ self.lokr_w1_b if self.split[0] else self.lokr_w1

    def large(self) -> Tensor:
        """w2 (out2, in2, …)."""
        if self.tucker:
            return rebuilt(self.lokr_t2, self.lokr_w2_a, self.lokr_w2_b)
        if self.split[1]:
            return (self.lokr_w2_a @ self.lokr_w2_b).reshape(*self.second, *self.shape[2:])
        return self.lokr_w2

    def change(self) -> Tensor:
        small = self.small().reshape(*self.first, *(1,) * len(self.shape[2:]))
        return torch.kron(small, self.large().contiguous()) * self.factor

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.names} | self.extra_tensors()

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        split = ("lokr_w1" not in tensors, "lokr_w2" not in tensors)
        tucker = split[1] and "lokr_t2" in tensors
        complete(path, "LoKr", tensors, names_of(split, tucker), EXTRA)
        inner = "lokr_w2_b" if split[1] else "lokr_w1_b" if split[0] else None
        rank = width(path, inner, tensors[inner], 0) if inner else 1
        alpha = float(tensors["alpha"]) if "alpha" in tensors else float(rank)
        first = tuple(
            width(path, name, tensors[name], axis)
            for axis, name in enumerate(("lokr_w1_a", "lokr_w1_b") if split[0] else ("lokr_w1", "lokr_w1"))
        )
        shape = weight_of(layer).shape
        if shape[0] % first[0] or shape[1] % first[1]:
            name = "lokr_w1_a" if split[0] else "lokr_w1"
            raise misfit(path, name, tensors[name], (shape[0], shape[1]))
        options = {"rank": rank, "alpha": alpha, "strength": strength}
        made = cls(layer, first=(first[0], first[1]), split=split, tucker=tucker, **options)
        if tucker and not made.tucker:
            raise misfit(path, "lokr_t2", tensors["lokr_t2"], (rank, rank))
        with torch.no_grad():
            for name in made.names:
                own = getattr(made, name)
                own.copy_(reshaped(path, name, tensors[name], own.shape))
        return made.take_extra(tensors, path)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> Self:
        """Kaiming-uniform (a = √5) as LyCORIS draws it; w2, or its second matrix, is 0."""
        for name in self.names:
            own = getattr(self, name)
            weight = torch.zeros(own.shape)
            if name not in ("lokr_w2", "lokr_w2_b"):
                nn.init.kaiming_uniform_(weight, a=sqrt(5), generator=generator)
            own.copy_(weight)
        return self

    def forward(self, host: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.grouped or self.dora_scale is not None:
            return super().forward(host, x, *args, **kwargs)
        layer = layer_of(host)
        if not torch.is_grad_enabled() and self.merges(host, layer, x):
            return super().forward(host, x, *args, **kwargs)
        output = host(x, *args, **kwargs)
        x = self.branch_input(x)
        branch = self._linear(x) if len(self.shape) == 2 else self._convolution(layer, x)
        output = torch.add(output, branch.to(output.dtype), alpha=self.scale)
        return output if self.bias is None else self.with_bias(output, self.bias)

    def _linear(self, x: Tensor) -> Tensor:
        """(w1 ⊗ w2) x = w1 X w2ᵀ, with x as a matrix X (in1, in2): the whole weight is never made."""
        x = x.unflatten(-1, (self.first[1], self.second[1]))
        if self.split[1]:
            x = functional.linear(functional.linear(x, self.lokr_w2_b), self.lokr_w2_a)
        else:
            x = functional.linear(x, self.lokr_w2)
        return (self.small() @ x).flatten(-2)

    def _convolution(self, layer: nn.Module, x: Tensor) -> Tensor:
        """The same for channels: w2 is a convolution of in1 groups of in2 channels that share it, w1 mixes them."""
        count = x.shape[0]
        x = operate(layer, x.reshape(-1, self.second[1], *x.shape[2:]), self.large(), None)
        mixed = self.small() @ x.reshape(count, self.first[1], -1)
        return mixed.reshape(count, self.shape[0], *x.shape[2:])


def names_of(split: tuple[bool, bool], tucker: bool) -> tuple[str, ...]:
    """Suffixes of the weights of a LoKr whose matrices are products or whole."""
    first = ("lokr_w1_a", "lokr_w1_b") if split[0] else ("lokr_w1",)
    second = ("lokr_w2_a", "lokr_w2_b") if split[1] else ("lokr_w2",)
    return (*first, *second, *(("lokr_t2",) if tucker else ()))
