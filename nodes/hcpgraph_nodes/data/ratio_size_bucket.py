"""`data.ratio_size_bucket`: small pictures have small buckets."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from hcpgraph import Context, node

from ..families.auto import settled
from ..types import Process
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.kmeans import kmeans
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.settings import Area, Step
from .bucketing.sizing import all_sizes, gathered, log_ratios, nearest_point, size_of
from .sources.dataset import Dataset


@node("data.ratio_size_bucket")
def ratio_size_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    max_area: Area = 640 * 640,
    step_size: Step = 8,
    num_buckets: Annotated[int, Field(ge=1, le=256)] = 10,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures by aspect ratio and area, so that small pictures are not enlarged to the size of large ones.

    The points (log2(width / height), log2 min(width · height, max_area)) of all pictures are clustered; a centre
    (c, a) becomes the size h = √(2^a / 2^c), w = h · 2^c, both rounded to `step_size` (HCP-Diffusion's
    RatioSizeBucket). A picture goes to the size that is nearest in these logarithms, is scaled until it covers it and
    cropped.

    Args:
        dataset: The pictures; only their sizes are read.
        model: The model, or its forward process: its family says what auto means.
        max_area: Width times height in pixels that no bucket is meant to exceed, 409600 for 640 × 640; auto: that of
            the model. Rounding to `step_size` may go slightly beyond.
        step_size: Width and height are multiples of it: 8 for the VAE, 64 where a model asks for it; auto as the model
            asks for it.
        num_buckets: At most this many sizes.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch, `merge` moves them to the
            bucket of the nearest shape.

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_DATA, the data set is empty or of texts alone.
    """
    area, step = settled(max_area, "max_area"), settled(step_size, "step_size")
    points = _logs(all_sizes(dataset), area)
    shapes = sorted({size_of(c, 2.0**a, step) for c, a in kmeans(points, num_buckets).tolist()})
    labels = nearest_point(points, _logs(np.array(shapes, np.int64), area))
    made = Bucketed(dataset, gathered(shapes, labels), crop, leftover)
    ctx.log(summary(made))
    return made


def _logs(sizes: np.ndarray, max_area: int) -> np.ndarray:
    return np.stack([log_ratios(sizes), np.log2(np.minimum(sizes.prod(axis=1), max_area))], axis=1)
