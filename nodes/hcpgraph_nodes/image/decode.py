"""`image.decode`."""

from __future__ import annotations

import torch

from hcpgraph import Context, node

from ..families.registry import family
from ..model.handles import Vae
from ..types import Images, Latents


@node("image.decode")
def decode(ctx: Context, vae: Vae, latents: Latents) -> Images:
    """Decode latents into pictures, one at a time.

    Args:
        vae: The autoencoder.
        latents: Scaled latents (B, C, h, w).

    Returns:
        out: Pictures (B, 3, H, W), float32 in [0, 1].
    """
    implementation = family(vae.family)
    rows = []
    for row in latents.data.split(1):
        ctx.check()
        rows.append(implementation.decode(vae, row))
    return Images(torch.cat(rows), latents.keys)
