"""`data.auto_bucket`: as many sizes as the pictures are worth."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint, Slider

from ..families.auto import settled
from ..types import Process
from .bucketing.auto_plan import Costs, costs_of, lattice, plan
from .bucketing.bucketed import Bucketed, Crop
from .bucketing.order import Leftover
from .bucketing.report import losses, named, summary
from .bucketing.resize import Size
from .bucketing.settings import Area, Step
from .bucketing.sizing import all_sizes, gathered, log_ratios
from .sources.dataset import Dataset

LEVELS = 4
ROUNDS = 4
SLACK = 1.01


@node("data.auto_bucket")
def auto_bucket(
    ctx: Context,
    dataset: Dataset,
    model: Process | None = None,
    *,
    target_area: Area = 512 * 512,
    step_size: Step = 8,
    batch_size: Annotated[int, Field(ge=1, le=65_536), Slider(step=1)] = 4,
    max_buckets: Annotated[int, Field(ge=0, le=1024)] = 0,
    max_crop: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.2,
    max_ratio: Annotated[float, Field(ge=1, le=64), Hint(advanced=True)] = 4.0,
    max_enlarge: Annotated[float, Field(ge=0, le=64), Hint(advanced=True)] = 0.0,
    leftover_cost: Annotated[float, Field(ge=0, le=100), Hint(advanced=True)] = 1.0,
    crop: Crop = "random",
    leftover: Leftover = "pad_repeat",
) -> Bucketed:
    """Sort pictures by aspect ratio into as many sizes as they are worth, cropping little and filling batches.

    Sizes are those on the grid of `step_size` within a tenth of `target_area`. Pictures are sorted by their ratio and
    cut into intervals, each with a size. The plan is the one with the least sum of: the area that is cropped, counted
    in pictures, plus `leftover_cost` for every sample that is left over, plus an eighth of a batch for every size, so
    that the number of sizes grows with the data set. Where it costs little, pictures that are almost as near to one
    size as to the next move over, so that their numbers are multiples of the batch size. What loses more than
    `max_crop`, and more than it must at `max_ratio`, is avoided at the price of two batches, if need be by a size of
    its own; what loses more is named in a warning. No other intervals and sizes are better where there are at most 512
    different ratios or 8192 pictures, for batches of up to 32; of more, ratios are first joined in 512 stretches.

    Args:
        dataset: The pictures; only their sizes are read.
        model: The model, or its forward process: its family says what auto means.
        target_area: Width times height in pixels, 262144 for 512 × 512; auto: that of the model.
        step_size: Width and height are multiples of it: 8 for the VAE, 64 where a model asks for it; auto as the model
            asks for it.
        batch_size: Samples a batch of the loader on each rank; another one there is no error, but leaves more over.
        max_buckets: At most this many sizes; 0 sets no limit.
        max_crop: Share of a picture that may be cut off; 1 sets no limit.
        max_ratio: No size is longer than this many times its short side.
        max_enlarge: A picture that would be enlarged by more than this factor goes to sizes of half the area, or a
            quarter, down to a sixteenth; 0 enlarges as much as needed, 1 never. What is still smaller is named.
        leftover_cost: How many whole pictures cut off one sample weighs that is repeated, left out or missing in a
            batch; 0 looks at crops alone.
        crop: Where the excess is cut off: `random` anew in every epoch, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket: `pad_repeat` repeats others of the
            bucket, `drop` leaves them out in this epoch, `partial` makes a smaller batch, `merge` moves them to the
            bucket of the nearest shape.

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_DATA (the data set is empty or of texts alone;
            `max_buckets` is below the number of areas that `max_enlarge` needs).
    """
    sizes = all_sizes(dataset)
    batch = batch_size * ctx.run.world
    costs = costs_of(batch, leftover_cost, leftover == "drop", max_crop)
    area, step = settled(target_area, "target_area"), settled(step_size, "step_size")
    shapes, labels = planned(sizes, area, step, max_ratio, max_enlarge, costs, max_buckets)
    made = Bucketed(dataset, gathered(shapes, labels), crop, leftover)
    ctx.log(summary(made, batch))
    for warning in _warnings(made, sizes, batch, max_crop, max_enlarge):
        ctx.log(warning, "warning")
    return made


def planned(
    sizes: np.ndarray, area: int, step: int, max_ratio: float, max_enlarge: float, costs: Costs, limit: int
) -> tuple[list[Size], np.ndarray]:
    """The sizes, and the number of its size for every picture (N, 2).

    A picture that its size enlarges too much, because it is cropped besides, goes to the next smaller area and the
    plan is made again.
    """
    level = np.zeros(len(sizes), np.int64)
    if max_enlarge:
        needed = np.ceil(np.log2(area / (sizes.prod(axis=1) * max_enlarge**2 * SLACK**2)))
        level = np.clip(needed, 0, LEVELS).astype(np.int64)
    logs = log_ratios(sizes)
    for _ in range(ROUNDS):
        used = np.unique(level)
        if limit and len(used) > limit:
            raise GraphError(
                "E_DATA",
                f"max_enlarge {max_enlarge:g} needs sizes of {len(used)} areas, max_buckets allows {limit}",
                port="max_buckets",
                hint=f"set max_buckets to at least {len(used)}, or to 0",
            )
        groups = [(logs[level == k], lattice(max(1, area >> int(k)), step, max_ratio)) for k in used]
        plans = plan(groups, costs, limit)
        numbers: dict[Size, int] = {}
        labels = np.empty(len(sizes), np.int64)
        for k, (shapes, own) in zip(used, plans, strict=True):
            labels[level == k] = np.array([numbers.setdefault(shape, len(numbers)) for shape in shapes])[own]
        targets = np.array(list(numbers))[labels]
        over = (_scale(sizes, targets) > max_enlarge * SLACK) & (level < LEVELS) & bool(max_enlarge)
        if not over.any():
            break
        level[over] += 1
    return list(numbers), labels


def _scale(sizes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """By how much each picture is scaled until it covers its target."""
    scale: np.ndarray = (targets / sizes).max(axis=1)
    return scale


def _warnings(data: Bucketed, sizes: np.ndarray, batch: int, max_crop: float, max_enlarge: float) -> list[str]:
    cut: list[int] = []
    grown: list[int] = []
    lost: list[int] = []
    for bucket in data.buckets:
        members = np.array(bucket.members, np.int64)
        cut += members[losses(sizes[members], bucket, data.fit)[0] > max_crop + 0.005].tolist()
        if max_enlarge:
            scale = _scale(sizes[members], np.array([bucket.width, bucket.height]))
            grown += members[scale > max_enlarge * SLACK].tolist()
        if data.leftover == "drop" and len(members) < batch:
            lost += members.tolist()
    told = {
        f"lose more than {max_crop:.0%} of their area": cut,
        f"are enlarged by more than {max_enlarge:g}": grown,
        f"are never trained, for their bucket has less than a batch of {batch}": lost,
    }
    return [f"{len(found)} pictures {what}: {named(data, sorted(found))}" for what, found in told.items() if found]
