"""LoHa blocks: the Hadamard product of two low-rank matrices.

Source: Hyeon-Woo et al. 2021, "FedPara", https://arxiv.org/abs/2108.06098, proposition 1 (flattened) and proposition 3
(Tucker, for convolutions); Yeh et al. 2023, "LyCORIS", https://arxiv.org/abs/2309.14859.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from .adapter import EXTRA, AdapterBlock
from .shapes import complete, misfit, reshaped, width

MATRICES = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
CORES = ("hada_t1", "hada_t2")


class LohaBlock(AdapterBlock):
    """Changes a weight by `alpha / rank · (w1_a w1_b) ∘ (w2_a w2_b)`; the rank of that is up to rank².

    A convolution's weight counts as a matrix (out, in · k · k); the Tucker form, which only files have, keeps k × k in
    the cores t1 and t2 (rank, rank, k, k), with w_a (rank, out) and w_b (rank, in).

    Args:
        layer: The layer it is made for; it is not kept.
        tucker: Whether it has the Tucker form; means nothing for Linear and 1×1.
        options: Those of AdapterBlock.

    The weights are empty until `initialise` or `from_tensors`.
    """

    kind: ClassVar[str] = "loha"

    def __init__(self, layer: nn.Module, *, tucker: bool = False, **options: Any) -> None:
        super().__init__(layer, **options)
        out, inner, *kernel = self.shape
        self.tucker = tucker and prod(kernel) > 1
        if self.tucker:
            sizes = [(self.rank, out), (self.rank, inner)] * 2
            self.hada_t1, self.hada_t2 = (self.empty(self.rank, self.rank, *kernel) for _ in CORES)
        else:
            sizes = [(out, self.rank), (self.rank, inner * prod(kernel))] * 2
        self.hada_w1_a, self.hada_w1_b, self.hada_w2_a, self.hada_w2_b = (self.empty(*size) for size in sizes)

    def change(self) -> Tensor:
        if self.tucker:
            first = rebuilt(self.hada_t1, self.hada_w1_a, self.hada_w1_b)
            return first * rebuilt(self.hada_t2, self.hada_w2_a, self.hada_w2_b) * self.factor
        product = _Hadamard.apply(self.hada_w1_a, self.hada_w1_b, self.hada_w2_a, self.hada_w2_b)
        changed: Tensor = product.reshape(self.shape) * self.factor
        return changed

    def tensors(self) -> dict[str, Tensor]:
        names = MATRICES + (CORES if self.tucker else ())
        return {name: getattr(self, name) for name in names} | self.extra_tensors()

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        tucker = "hada_t1" in tensors or "hada_t2" in tensors
        names = MATRICES + (CORES if tucker else ())
        complete(path, "LoHa", tensors, names, EXTRA)
        rank = width(path, "hada_w1_b", tensors["hada_w1_b"], 0)
        alpha = float(tensors["alpha"]) if "alpha" in tensors else float(rank)
        made = cls(layer, rank=rank, alpha=alpha, strength=strength, tucker=tucker)
        if tucker and not made.tucker:
            raise misfit(path, "hada_t1", tensors["hada_t1"], (rank, rank))
        with torch.no_grad():
            for name in names:
                own = getattr(made, name)
                own.copy_(reshaped(path, name, tensors[name], own.shape))
        return made.take_extra(tensors, path)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> Self:
        """Normal numbers as LyCORIS draws them: w1_a with deviation 0.1, w1_b and w2_b with 1; w2_a is 0."""
        for name, deviation in zip(MATRICES, (0.1, 1.0, 0.0, 1.0), strict=True):
            weight = getattr(self, name)
            weight.copy_(torch.randn(weight.shape, generator=generator) * deviation if deviation else 0.0)
        return self


def rebuilt(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A convolution's weight (out, in, k, k) of its Tucker form: core (r, r, k, k), a (r, out), b (r, in)."""
    return torch.einsum("ijkl,io,jn->onkl", core, a, b)


class _Hadamard(torch.autograd.Function):
    """(a1 b1) ∘ (a2 b2); both products are made again in backward, so that no whole weight is kept for them."""

    @staticmethod
    def forward(ctx: Any, a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor) -> Tensor:
        ctx.save_for_backward(a1, b1, a2, b2)
        return (a1 @ b1) * (a2 @ b2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        a1, b1, a2, b2 = ctx.saved_tensors
        first, second = gradient * (a2 @ b2), gradient * (a1 @ b1)
        return first @ b1.T, a1.T @ first, second @ b2.T, a2.T @ second
