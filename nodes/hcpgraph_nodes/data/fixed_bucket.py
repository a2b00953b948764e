"""`data.fixed_bucket`: one size for all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from ..families.auto import Auto, settled
from ..types import Process
from .bucketing.bucketed import Bucket, Bucketed, Crop
from .bucketing.order import Leftover
from .bucketing.report import summary
from .bucketing.sizing import require_samples
from .sources.dataset import Dataset

Side = Annotated[Annotated[int, Field(ge=8, le=16_384)] | Auto, Slider(step=8, primary=True)]


@node("data.fixed_bucket")
def fixed_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    width: Side = 512,
    height: Side = 512,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Bring every picture to one size, or hand a data set of texts alone to a loader.

    A picture is scaled until it covers the size and cropped (HCP-Diffusion's FixedBucket). A data set of texts alone
    has no sizes: width and height are not used, and data.caption_batch reads its loader.

    Args:
        dataset: Pictures, or texts alone.
        model: The model, or its forward process: its family says what auto means.
        width: Width in pixels; auto: that of the model's pictures.
        height: Height in pixels; auto: that of the model's pictures.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch; `merge` does as
            `partial`, for there is no other bucket.

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_DATA, the data set is empty.
    """
    require_samples(dataset)
    sides = settled(width, "width"), settled(height, "height")
    made = Bucketed(dataset, (Bucket(*sides, tuple(range(len(dataset)))),), crop, leftover)
    ctx.log(summary(made) if dataset.pictures else f"{len(dataset)} texts")
    return made
