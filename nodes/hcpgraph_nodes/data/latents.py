"""`data.latents`: a data set whose pictures went through the VAE once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from hcpgraph import Context, Facts, Port, node
from hcpgraph.types import port_type

from ..families.registry import family
from ..model.handles import Vae
from .encoding import encoded
from .order import Leftover
from .ratio_bucket import Bucketed


@port_type(color="#d97ba6", shape="square", facts=("family",))
@dataclass(frozen=True, slots=True)
class LatentSet:
    """A bucketed data set as latents.

    Attributes:
        name: First part of every sample key.
        captions: One a sample of the data set.
        members: The samples of every bucket.
        latents: Scaled latents of every bucket (n, C, h, w), in the order of its members.
        leftover: What happens to samples that do not fill a batch.
    """

    name: str
    captions: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    latents: tuple[Tensor, ...]
    leftover: Leftover


@node("data.latents", cache="disk", packages=("diffusers",))
def latents(ctx: Context, data: Bucketed, vae: Vae) -> Annotated[LatentSet, Facts(family=Port("vae"))]:
    """Encode every picture once, so that no training step has to.

    The result is kept in memory and on disk under a key of everything it was made of: after a change of a picture, a
    size or the VAE it is made anew. The latents are the means of the VAE's posterior; crops must be centred, and
    there are no flips.

    Args:
        data: The bucketed data set.
        vae: The autoencoder.

    Returns:
        out: Latents and captions, for data.latent_loader.

    Raises:
        GraphError: E_CROP, the crop changes from epoch to epoch.
    """
    factor = family(vae.family).scaling_factor(vae)
    rows: list[list[Tensor]] = [[] for _ in data.buckets]
    for bucket, mean in encoded(ctx, vae, data):
        rows[bucket].append(mean * factor)
    return LatentSet(
        data.dataset.name,
        tuple(sample.caption for sample in data.dataset.samples),
        tuple(bucket.members for bucket in data.buckets),
        tuple(torch.cat(part) for part in rows),
        data.leftover,
    )
