"""`data.long_edge_bucket`: every picture has the same long side."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from ..families.auto import settled
from ..types import Process
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.kmeans import kmeans
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.settings import Step
from .bucketing.sizing import all_sizes, by_ratio, gathered, log_ratios, nearest_ratio, rounded
from .sources.dataset import Dataset


@node("data.long_edge_bucket")
def long_edge_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    target_edge: Annotated[int, Field(ge=8, le=16_384), Slider(step=8)] = 640,
    step_size: Step = 8,
    num_buckets: Annotated[int, Field(ge=1, le=256)] = 10,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures into a few sizes whose long side is about the same, whatever their area.

    (width, height) of all pictures, scaled to a long side of `target_edge`, are clustered; the centre of a cluster,
    rounded to `step_size`, is a bucket (HCP-Diffusion's LongEdgeBucket). A picture goes to the size whose ratio is
    nearest in log2, is scaled until it covers it and cropped.

    Args:
        dataset: The pictures; only their sizes are read.
        model: The model, or its forward process: its family says what auto means.
        target_edge: Long side in pixels; a cluster of portraits and landscapes alike has a shorter one.
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
    sizes = all_sizes(dataset)
    scaled = sizes * (target_edge / sizes.max(axis=1, keepdims=True))
    step = settled(step_size, "step_size")
    shapes = by_ratio({(rounded(w, step), rounded(h, step)) for w, h in kmeans(scaled, num_buckets).tolist()})
    labels = nearest_ratio(log_ratios(sizes), shapes)
    made = Bucketed(dataset, gathered(shapes, labels), crop, leftover)
    ctx.log(summary(made))
    return made
