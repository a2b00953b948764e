"""`sample.empty_latents`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import Facts, Port, node

from ..families.auto import Auto, settled
from ..families.registry import family
from ..model.handles import Vae
from ..types import Latents

Side = Annotated[int, Field(ge=8, le=8192)] | Auto


@node("sample.empty_latents")
def empty_latents(
    vae: Vae, *, width: Side = 512, height: Side = 512, count: Annotated[int, Field(ge=1, le=1024)] = 1
) -> Annotated[Latents, Facts(latents=Port("vae"))]:
    """Latents of zeros: the size and the number of the pictures to sample.

    Args:
        vae: The autoencoder, which says how large latents are.
        width: Width of the pictures, pixels; auto: as its family has them.
        height: Height of the pictures, pixels; auto: as its family has them.
        count: Number of pictures.

    Returns:
        out: Zeros (count, C, h, w).

    Raises:
        GraphError: E_SIZE, the sides do not fit the VAE; E_AUTO, nothing says what auto means.
    """
    shape = family(vae.family).latent_shape(vae, settled(width, "width"), settled(height, "height"))
    return Latents(torch.zeros((count, *shape), device=vae.device))
