"""`sample.caption_latents`."""

from __future__ import annotations

from typing import Annotated

import torch

from hcpgraph import Facts, Port, node

from ..families.auto import settled
from ..families.registry import family
from ..model.handles import Vae
from ..types import Captions, Latents
from .empty_latents import Side


@node("sample.caption_latents", title="Empty latents for captions")
def caption_latents(
    vae: Vae, captions: Captions, *, width: Side = 512, height: Side = 512
) -> Annotated[Latents, Facts(latents=Port("vae"))]:
    """Latents of zeros, one for each caption and with its sample key: what trains without pictures begins with them.

    Noise and timesteps that are drawn for them depend on the caption's key, as for latents of pictures: with captions
    of data.caption_batch a resumed run draws what it would have drawn. noise.gaussian makes noise of their shape.

    Args:
        vae: The autoencoder, which says how large latents are; it is not run.
        captions: B captions; only their number and keys are read.
        width: Width of the pictures, pixels; auto: as its family has them.
        height: Height of the pictures, pixels; auto: as its family has them.

    Returns:
        out: Zeros (B, C, h, w) with the captions' sample keys.

    Raises:
        GraphError: E_SIZE, the sides do not fit the VAE; E_AUTO, nothing says what auto means.
    """
    shape = family(vae.family).latent_shape(vae, settled(width, "width"), settled(height, "height"))
    return Latents(torch.zeros((len(captions.texts), *shape), device=vae.device), captions.keys)
