"""`data.size_bucket`: pictures keep their scale; similar sizes share a bucket."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from hcpgraph import Context, node

from ..families.auto import settled
from ..image.color import HexColor, rgb
from ..types import Process
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.kmeans import kmeans
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.settings import Step
from .bucketing.sizing import all_sizes, gathered, nearest_point, rounded
from .sources.dataset import Dataset


@node("data.size_bucket")
def size_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    step_size: Step = 8,
    num_buckets: Annotated[int, Field(ge=1, le=256)] = 10,
    background: HexColor = "#000000",
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures by width and height into a few sizes without scaling any of them.

    (width, height) of all pictures are clustered; the centre of a cluster, rounded to `step_size`, is a bucket
    (HCP-Diffusion's SizeBucket). A picture goes to the nearest size. What is larger is cropped; what is smaller is
    filled at the right and at the bottom, and what was filled counts nothing in the loss mask (HCP-Diffusion trains on
    it). For pixel art, textures and documents, where scaling would destroy what is to be learnt.

    Args:
        dataset: The pictures; only their sizes are read.
        model: The model, or its forward process: its family says what auto means.
        step_size: Width and height are multiples of it: 8 for the VAE, 64 where a model asks for it; auto as the model
            asks for it.
        num_buckets: At most this many sizes.
        background: Colour that fills, `#rrggbb`.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch, `merge` moves them to the
            bucket of the nearest shape.

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_DATA, the data set is empty or of texts alone.
    """
    sizes = all_sizes(dataset).astype(np.float64)
    step = settled(step_size, "step_size")
    shapes = sorted({(rounded(w, step), rounded(h, step)) for w, h in kmeans(sizes, num_buckets).tolist()})
    labels = nearest_point(sizes, np.array(shapes, np.float64))
    made = Bucketed(dataset, gathered(shapes, labels), crop, leftover, "pad", rgb(background))
    ctx.log(summary(made))
    return made
