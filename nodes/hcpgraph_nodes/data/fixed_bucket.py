"""`data.fixed_bucket`: one size for all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from .bucketing.bucketed import Bucket, Bucketed, Crop
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.sizing import require_samples
from .sources.dataset import Dataset


@node("data.fixed_bucket")
def fixed_bucket(
    ctx: Context,
    dataset: Dataset,
    *,
    width: Annotated[int, Field(ge=8, le=16_384), Slider(step=8, primary=True)] = 512,
    height: Annotated[int, Field(ge=8, le=16_384), Slider(step=8, primary=True)] = 512,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Bring every picture to one size, or hand a data set of texts alone to a loader.

    A picture is scaled until it covers the size and cropped (HCP-Diffusion's FixedBucket). A data set of texts alone
    has no sizes: width and height are not used, and data.caption_batch reads its loader.

    Args:
        dataset: Pictures, or texts alone.
        width: Width in pixels.
        height: Height in pixels.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch; `merge` does as
            `partial`, for there is no other bucket.

    Raises:
        GraphError: E_DATA, the data set is empty.
    """
    require_samples(dataset)
    made = Bucketed(dataset, (Bucket(width, height, tuple(range(len(dataset)))),), crop, leftover)
    ctx.log(summary(made) if dataset.pictures else f"{len(dataset)} texts")
    return made
