"""Every picture of a bucketed data set through a VAE, once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hcpgraph import Context, GraphError

from ..families.registry import family
from ..model.handles import Vae
from .ratio_bucket import Bucketed
from .resize import crop_to, resize_cover

BATCH = 16


@torch.no_grad()
def encoded(ctx: Context, vae: Vae, data: Bucketed) -> Iterator[tuple[int, Tensor]]:
    """Bucket number and posterior means (b, C, h, w), not scaled, on the CPU, in the order of the buckets' members.

    Raises:
        GraphError: E_CROP, the crop changes from epoch to epoch, so that there is no one picture to encode.
    """
    if data.crop != "center":
        raise GraphError(
            "E_CROP",
            "pictures are cropped anew in every epoch and cannot be encoded once",
            port="data",
            hint="set crop to center in data.ratio_bucket",
        )
    implementation = family(vae.family)
    done, total = 0, sum(len(bucket.members) for bucket in data.buckets)
    for number, bucket in enumerate(data.buckets):
        size = (bucket.width, bucket.height)
        for start in range(0, len(bucket.members), BATCH):
            ctx.check()
            members = bucket.members[start : start + BATCH]
            pictures = [crop_to(resize_cover(data.dataset.load(index), size), size, None) for index in members]
            pixels = torch.from_numpy(np.stack(pictures)).to(ctx.device).permute(0, 3, 1, 2)
            images = pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
            mean, _ = implementation.encode_image(vae, images)
            done += len(members)
            ctx.progress(done, total)
            yield number, mean.cpu()
