"""`data.ratio_bucket`: pictures of similar shape share a size, so that they fit into one batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node

from ..families.auto import settled
from ..types import Process
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.kmeans import kmeans_1d
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.settings import Area, Step
from .bucketing.sizing import all_sizes, by_ratio, gathered, log_ratios, nearest_ratio, size_of
from .sources.dataset import Dataset


@node("data.ratio_bucket")
def ratio_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    target_area: Area = 512 * 512,
    step_size: Step = 8,
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
        model: The model, or its forward process: its family says what auto means.
        target_area: Width times height in pixels, 262144 for 512 × 512; auto: that of the model.
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
    ratios = log_ratios(all_sizes(dataset))
    area, step = settled(target_area, "target_area"), settled(step_size, "step_size")
    shapes = by_ratio({size_of(float(c), area, step) for c in kmeans_1d(ratios, num_buckets)})
    made = Bucketed(dataset, gathered(shapes, nearest_ratio(ratios, shapes)), crop, leftover)
    ctx.log(summary(made))
    return made
