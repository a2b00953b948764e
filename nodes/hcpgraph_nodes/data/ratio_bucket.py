"""`data.ratio_bucket`: pictures of similar shape share a size, so that they fit into one batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.types import port_type
from hcpgraph.widgets import Slider

from .dataset import Dataset
from .kmeans import kmeans_1d
from .order import Leftover
from .resize import covering

Crop = Literal["random", "center"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """One size (pixels) and the indices of the samples that are brought to it."""

    width: int
    height: int
    members: tuple[int, ...]


@port_type(color="#c9b458", shape="diamond")
@dataclass(frozen=True, slots=True)
class Bucketed:
    """A data set whose samples are assigned to picture sizes."""

    dataset: Dataset
    buckets: tuple[Bucket, ...]
    crop: Crop
    leftover: Leftover


@node("data.ratio_bucket")
def ratio_bucket(
    ctx: Context,
    dataset: Dataset,
    *,
    target_area: Annotated[int, Field(ge=64, le=2**26)] = 512 * 512,
    step_size: Annotated[int, Field(ge=1, le=512), Slider(step=8)] = 8,
    num_buckets: Annotated[int, Field(ge=1, le=256)] = 10,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures by aspect ratio into a few sizes of equal area, so that little has to be cropped.

    The ratios log2(width / height) of all pictures are clustered; a cluster with the centre c becomes the size
    h = √(area / 2^c), w = h · 2^c, both rounded to `step_size` (HCP-Diffusion's RatioBucket.from_files). A picture goes
    to the size whose ratio is nearest in log2, is scaled until it covers it (Lanczos when shrinking, else bicubic) and
    cropped. Two clusters that round to the same size become one bucket; with fewer shapes than buckets each shape has
    its own.

    Args:
        dataset: The pictures; only their sizes are read.
        target_area: Width times height in pixels, 262144 for 512 × 512.
        step_size: Width and height are multiples of it: 8 for the VAE, 64 where a model asks for it.
        num_buckets: At most this many sizes.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: fill it up by repeating others of
            the bucket, leave them out in this epoch, or make a smaller batch.

    Raises:
        GraphError: E_DATA, the data set is empty.
    """
    if not len(dataset):
        raise GraphError("E_DATA", f"the data set '{dataset.name}' is empty", hint="see the filters of its node")
    sizes = np.array([dataset.size(i) for i in range(len(dataset))], np.float64)
    ratios = np.log2(sizes[:, 0] / sizes[:, 1])
    shapes = sorted(
        {bucket_size(c, target_area, step_size) for c in kmeans_1d(ratios, num_buckets)}, key=lambda s: s[0] / s[1]
    )
    nearest = np.abs(ratios[:, None] - np.log2([w / h for w, h in shapes])[None]).argmin(axis=1)
    buckets = tuple(
        Bucket(*shape, tuple(map(int, np.flatnonzero(nearest == i))))
        for i, shape in enumerate(shapes)
        if (nearest == i).any()
    )
    ctx.log(_report(dataset, buckets))
    return Bucketed(dataset, buckets, crop, leftover)


def bucket_size(log_ratio: float, area: int, step: int) -> tuple[int, int]:
    """(width, height) with about this area and log2 ratio, multiples of `step`, at least one step."""
    ratio = 2.0**log_ratio
    height = math.sqrt(area / ratio)
    return max(step, round(height * ratio / step) * step), max(step, round(height / step) * step)


def _report(dataset: Dataset, buckets: tuple[Bucket, ...]) -> str:
    parts = []
    for bucket in buckets:
        lost = upscaled = 0.0
        for index in bucket.members:
            size = dataset.size(index)
            width, height = covering(size, (bucket.width, bucket.height))
            lost = max(lost, 1 - bucket.width * bucket.height / (width * height))
            upscaled += width > size[0]
        text = f"{bucket.width}x{bucket.height}: {len(bucket.members)}"
        notes = [f"crop up to {lost:.0%}"] * (lost >= 0.005) + [f"{upscaled:.0f} enlarged"] * (upscaled > 0)
        parts.append(text + (f" ({', '.join(notes)})" if notes else ""))
    return f"{len(buckets)} buckets: " + "; ".join(parts)
