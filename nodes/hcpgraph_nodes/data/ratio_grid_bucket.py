"""`data.ratio_grid_bucket`: sizes that do not depend on the pictures."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from hcpgraph import Context, node

from ..families.auto import settled
from ..types import Process
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.kmeans import kmeans_1d
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.resize import Size
from .bucketing.settings import Area, Step
from .bucketing.sizing import all_sizes, by_ratio, gathered, log_ratios, nearest_ratio
from .sources.dataset import Dataset


@node("data.ratio_grid_bucket")
def ratio_grid_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    target_area: Area = 640 * 640,
    step_size: Step = 8,
    num_buckets: Annotated[int, Field(ge=1, le=256)] = 10,
    ratio_max: Annotated[float, Field(ge=1, le=64)] = 4.0,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures by aspect ratio into sizes that are the same for every data set.

    Of all sizes whose sides are multiples of `step_size` between √(area / ratio_max) and ratio_max times that, the
    3 · `num_buckets` nearest to the area are kept. Their ratios log2(width / height) are clustered, and of each cluster
    the size nearest to its median becomes a bucket (HCP-Diffusion's RatioBucket.from_ratios). Two things differ: sizes
    that are as near to the area as the last one kept are kept too, so that a portrait has a bucket where the same
    landscape has one; and k-means is the exact one, which needs no seed. Buckets without pictures are left out. A
    picture goes to the size whose ratio is nearest in log2, is scaled until it covers it and cropped.

    Args:
        dataset: The pictures; only their sizes are read.
        model: The model, or its forward process: its family says what auto means.
        target_area: Width times height in pixels, 409600 for 640 × 640; auto: that of the model.
        step_size: Width and height are multiples of it: 8 for the VAE, 64 where a model asks for it; auto as the model
            asks for it.
        num_buckets: At most this many sizes.
        ratio_max: No size is longer than this many times its short side.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch, `merge` moves them to the
            bucket of the nearest shape.

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_DATA, the data set is empty or of texts alone.
    """
    ratios = log_ratios(all_sizes(dataset))
    area, step = settled(target_area, "target_area"), settled(step_size, "step_size")
    shapes = grid_sizes(area, step, num_buckets, ratio_max)
    made = Bucketed(dataset, gathered(shapes, nearest_ratio(ratios, shapes)), crop, leftover)
    ctx.log(summary(made))
    return made


def grid_sizes(area: int, step: int, count: int, ratio_max: float) -> list[Size]:
    """The sizes of `data.ratio_grid_bucket`, from the tallest to the widest."""
    shortest = int(np.sqrt(area / ratio_max))
    low = max(step, shortest // step * step)
    high = max(low, int(ratio_max * shortest) // step * step)
    candidates = _nearest_areas(area, step, low, high, 3 * count)
    logs = log_ratios(candidates)
    centres = kmeans_1d(logs, count)
    cluster = np.searchsorted((centres[1:] + centres[:-1]) / 2, logs)
    chosen: set[Size] = set()
    for number in range(len(centres)):
        own = candidates[cluster == number]
        far = np.abs(log_ratios(own) - np.median(log_ratios(own)))
        best = own[np.lexsort((own[:, 0], np.abs(own.prod(axis=1) - area), far.round(9)))[0]]
        chosen.add((int(best[0]), int(best[1])))
    return by_ratio(chosen)


def _nearest_areas(area: int, step: int, low: int, high: int, count: int) -> np.ndarray:
    """The `count` sizes (N, 2) on the grid that are nearest to the area, and those as near as the last of them.

    The heights next to area / width bound how far the last of them can be; within that bound every height is tried.
    """
    widths = np.arange(low, high + 1, step)
    next_to = np.clip(area // widths // step * step, low, high - step)[:, None] + (0, step)
    bound = _last(np.abs(widths[:, None] * next_to - area).ravel(), count) if len(widths) >= count else area + high**2
    first = np.maximum(low, -((bound - area) // (widths * step)) * step)
    amount = np.maximum(0, np.minimum(high, (area + bound) // (widths * step) * step) - first + step) // step
    within = np.arange(amount.sum()) - np.repeat(np.cumsum(amount) - amount, amount)
    sizes = np.stack([np.repeat(widths, amount), np.repeat(first, amount) + step * within], axis=1)
    far = np.abs(sizes.prod(axis=1) - area)
    kept: np.ndarray = sizes[far <= _last(far, count)]
    return kept


def _last(distances: np.ndarray, count: int) -> int:
    """The distance of the `count`-th nearest, or of the farthest if there are fewer."""
    place = min(count, len(distances)) - 1
    return int(np.partition(distances, place)[place])
