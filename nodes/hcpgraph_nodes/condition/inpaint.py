"""`condition.inpaint`."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from hcpgraph import Context, Facts, GraphError, Port, node

from ..conditioning import CHANNELS
from ..families.registry import family
from ..model.handles import Vae
from ..noise.draws import normal_rows
from ..types import Conditioning, Images, LossMask
from .rows import rows

HALF = 0.5


@node("condition.inpaint", effects="random", title="Inpaint condition")
def inpaint(
    ctx: Context,
    conditioning: Conditioning,
    vae: Vae,
    images: Images,
    masks: LossMask,
    *,
    mode: Literal["sample", "mean"] = "sample",
) -> Annotated[Conditioning, Facts(text=Port("conditioning"), image="inpaint")]:
    """Lead a model for inpainting by a picture and a mask that says what of it is painted anew.

    Such a model reads the mask and the latents of the picture without what is masked beside the noisy latents (9
    channels of Stable Diffusion, FLUX.1 Fill). A mask counts where it is 0.5 or more; on the latents of a UNet it has
    the value of the nearest pixel, as in diffusers, and FLUX.1 reads every pixel of it. In sample.denoise the negative
    side gets the same picture.

    Args:
        conditioning: The text.
        vae: The autoencoder of the model.
        images: Pictures (B, 3, H, W) in [0, 1], of the size of what is sampled.
        masks: Masks (B, 1, H, W), of image.mask or of a data set; what is masked is painted.
        mode: Whether latents are drawn from the VAE's posterior, as in diffusers, or are its mean.

    Returns:
        out: The conditioning with the part `image_channels` (B, C', h, w): mask and latents, as the family reads them.

    Raises:
        GraphError: E_BATCH, other numbers of pictures, masks and texts; E_CONDITION, masks of another size.
    """
    if masks.data.shape[-2:] != images.data.shape[-2:]:
        shapes = [f"{data.shape[-1]}×{data.shape[-2]}" for data in (masks.data, images.data)]
        raise GraphError(
            "E_CONDITION",
            f"the masks have {shapes[0]} pixels, the pictures {shapes[1]}",
            port="masks",
            hint="bring both to one size, with image.resize",
        )
    count = rows({"conditioning": conditioning.count, "images": len(images.data), "masks": len(masks.data)})
    data = images.data.expand(count, -1, -1, -1)
    painted = (masks.data.to(data.device) >= HALF).to(data).expand(count, -1, -1, -1)
    grey = torch.full_like(data, HALF)
    implementation = family(vae.family)
    mean, deviation = implementation.encode_image(vae, torch.where(painted.bool(), grey, data))
    if mode == "sample":
        mean = mean + deviation * normal_rows(ctx, mean.shape, images.keys if len(images.data) == count else None)
    latents = implementation.statistics(vae).normalise(mean)
    beside = implementation.inpaint_channels(latents, painted.to(latents))
    return conditioning.rows(count).with_parts(**{CHANNELS: beside})
