"""Weight decomposition (DoRA): a magnitude of its own for every row of a changed weight.

Source: Liu et al. 2024, "DoRA", https://arxiv.org/abs/2402.09353, equation 5: W' = m · (W + ΔW) / ‖W + ΔW‖, with m the
norm of W at first. The norm is no part of the gradient (section 4.3). LyCORIS and PEFT take it over everything that
leads to one output; OneTrainer also writes files with the norm over everything that starts at one input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hcpgraph import GraphError

from .shapes import misfit


def magnitude(weight: Tensor, axis: int = 0) -> Tensor:
    """The L2 norms of a weight over all axes but one, float32; every other axis has size 1."""
    others = [other for other in range(weight.dim()) if other != axis]
    norm: Tensor = torch.linalg.vector_norm(weight.detach().float(), dim=others, keepdim=True)
    return norm


def axis_of(scale: Tensor) -> int:
    """Along which axis a magnitude differs: 0 is the output, 1 the input."""
    return 1 if scale.shape[0] == 1 and scale.shape[1] > 1 else 0


def ratio(scale: Tensor, whole: Tensor) -> Tensor:
    """m / ‖W + ΔW‖ in the shape of m; the norm is a constant for the gradient."""
    norm = magnitude(whole, axis_of(scale))
    return scale / norm.clamp_min(torch.finfo(norm.dtype).tiny)


def fitted(scale: Tensor, shape: Sequence[int], path: str) -> Tensor:
    """A magnitude from a file in the shape that `magnitude` gives, along either axis.

    Args:
        scale: (out,), (out, 1, …) or (1, in, …).
        shape: Shape of the layer's weight.
        path: The layer's name, for messages.

    Raises:
        GraphError: E_LORA_SHAPE.
    """
    ones = (1,) * (len(shape) - 1)
    if scale.numel() == shape[0] and (scale.dim() == 1 or scale.shape[0] == shape[0]):
        return scale.reshape(shape[0], *ones)
    if scale.numel() == shape[1] and scale.dim() > 1 and scale.shape[:2] == (1, shape[1]):
        return scale.reshape(1, shape[1], *ones[1:])
    raise misfit(path, "dora_scale", scale, (shape[0], *ones))


def needs_weight(kind: str) -> GraphError:
    """The error for a change that is asked for without the weight it belongs to."""
    return GraphError(
        "E_ADAPTER",
        f"what a decomposed {kind} changes depends on the layer's own weight",
        hint="give the model that it was trained on",
    )
