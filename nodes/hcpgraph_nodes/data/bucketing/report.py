"""What a bucketing does to pictures: one row a bucket, for the logs of the nodes and for `hcpgraph check`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hcpgraph.errors import listed

from .bucketed import Bucket, Bucketed
from .leftover import merged
from .sizing import all_sizes

WORDS = {"pad_repeat": "repeated", "drop": "left out", "partial": "in a smaller batch", "merge": "in a smaller batch"}


@dataclass(frozen=True, slots=True)
class BucketRow:
    """One bucket.

    Attributes:
        width: In pixels.
        height: In pixels.
        count: Samples.
        crop_mean: Mean share of a picture's area that is cut off, 0 … 1.
        crop_max: Largest share.
        enlarged: Pictures that are scaled up.
        leftover: Samples an epoch that are repeated (`pad_repeat`), left out (`drop`) or in a smaller batch (`partial`,
            `merge`); None without a batch size.
        members: Numbers of its samples in the data set.
    """

    width: int
    height: int
    count: int
    crop_mean: float
    crop_max: float
    enlarged: int
    leftover: int | None
    members: tuple[int, ...]

    def ids(self, data: Bucketed) -> list[str]:
        """The ids of its samples."""
        return [data.dataset.samples[index].id for index in self.members]


def bucket_table(data: Bucketed, batch_size: int | None) -> list[BucketRow]:
    """One row a bucket, in the order of the buckets.

    Args:
        data: The bucketed data set.
        batch_size: Samples a batch over all ranks; buckets that merge their leftovers are then shown as they are
            trained, after the merging.
    """
    buckets = merged(data, batch_size) if batch_size and data.leftover == "merge" else data.buckets
    sizes = all_sizes(data.dataset) if data.dataset.pictures else None
    rows = []
    for bucket in buckets:
        lost, grown = (np.zeros(1), 0) if sizes is None else losses(sizes[list(bucket.members)], bucket, data.fit)
        left = None if batch_size is None else _left(len(bucket.members), batch_size, data.leftover)
        rows.append(
            BucketRow(
                bucket.width,
                bucket.height,
                len(bucket.members),
                float(lost.mean()),
                float(lost.max()),
                grown,
                left,
                bucket.members,
            )
        )
    return rows


def losses(sizes: np.ndarray, bucket: Bucket, fit: str) -> tuple[np.ndarray, int]:
    """Share of every picture (N, 2) that is cut off, (N,), and how many are scaled up.

    A picture that covers its bucket is rounded to whole pixels as `covering` rounds it.
    """
    target = np.array([bucket.width, bucket.height])
    if fit == "pad":
        return 1 - np.minimum(sizes, target).prod(axis=1) / sizes.prod(axis=1), 0
    scale = (target / sizes).max(axis=1, keepdims=True)
    scaled = np.maximum(target, np.rint(sizes * scale)).astype(np.int64)
    return 1 - target.prod() / scaled.prod(axis=1), int((scaled[:, 0] > sizes[:, 0]).sum())


def _left(count: int, batch_size: int, leftover: str) -> int:
    return -count % batch_size if leftover == "pad_repeat" else count % batch_size


def summary(data: Bucketed, batch_size: int | None = None) -> str:
    """The table in one line of the log: every bucket with its samples, what they lose and what is left over."""
    parts = []
    rows = bucket_table(data, batch_size)
    for row in rows:
        notes = []
        if row.crop_max >= 0.005:
            notes.append(f"crop {row.crop_mean:.1%}, up to {row.crop_max:.0%}")
        if row.enlarged:
            notes.append(f"{row.enlarged} enlarged")
        if row.leftover:
            notes.append(f"{row.leftover} {WORDS[data.leftover]}")
        parts.append(f"{row.width}x{row.height}: {row.count}" + (f" ({', '.join(notes)})" if notes else ""))
    return f"{len(rows)} bucket{'s' * (len(rows) != 1)}: " + "; ".join(parts)


def named(data: Bucketed, members: Iterable[int]) -> str:
    """Ids of samples for a message."""
    return listed(data.dataset.samples[index].id for index in members)
