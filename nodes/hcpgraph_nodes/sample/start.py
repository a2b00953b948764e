"""What sampling starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..noise.draws import draw
from ..types import Latents, Noise


def start_noise(generators: Sequence[torch.Generator], latents: Latents, noise: Noise | None) -> Tensor:
    """Noise (B, C, h, w) of the shape of latents: row i from generator i, or what is wired, in its place.

    The generators are drawn from in any case, so that what they give later is the same.

    Raises:
        GraphError: E_BATCH, the noise is of another shape.
    """
    own = draw(generators, latents.data.shape)
    if noise is None:
        return own
    if noise.data.shape != own.shape:
        raise GraphError(
            "E_BATCH",
            f"the noise has the shape {list(noise.data.shape)}, the latents {list(own.shape)}",
            port="noise",
            hint="wire noise of the same latents",
        )
    return noise.data
