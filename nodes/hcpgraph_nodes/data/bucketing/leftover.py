"""Where samples go that do not fill a batch of their bucket, if they may go elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .bucketed import Bucket, Bucketed
from .sizing import all_sizes

MAX_CROP = 0.25
CHUNK = 1 << 22


def merged(data: Bucketed, batch_size: int) -> tuple[Bucket, ...]:
    """The buckets after the rest of each has moved to the nearest other ones.

    The bucket with the smallest rest gives it away first, the samples whose shape is nearest to the receiver's, and
    takes none afterwards, so that this ends after as many rounds as there are buckets. A rest moves only where at most
    a quarter of each of its pictures would be cropped; what may not move forms a smaller batch.

    Args:
        data: The bucketed data set; where pictures are padded instead of cropped, nearness counts size too, and where
            there are no pictures all samples are alike.
        batch_size: Samples a batch, over all ranks.
    """
    if len(data.buckets) < 2:
        return data.buckets
    sizes = all_sizes(data.dataset) if data.dataset.pictures else np.ones((len(data.dataset), 2), np.int64)
    shapes = _shape(data, sizes)
    targets = _shape(data, np.array([(bucket.width, bucket.height) for bucket in data.buckets]))
    members = [np.array(bucket.members, np.int64) for bucket in data.buckets]
    open_ = set(range(len(members)))
    while len(open_) > 1:
        rests = {i: len(members[i]) % batch_size for i in open_ if len(members[i]) % batch_size}
        if not rests:
            break
        giver = min(rests, key=lambda i: (rests[i], i))
        open_.remove(giver)
        others = np.array(sorted(open_))
        nearest, distance = _nearest(shapes[members[giver]], targets[others])
        moving = np.argsort(distance, kind="stable")[: rests[giver]]
        if distance[moving].max() > -np.log2(1 - MAX_CROP):
            continue
        for number in np.unique(nearest[moving]):
            taken = members[giver][moving[nearest[moving] == number]]
            members[others[number]] = np.concatenate([members[others[number]], taken])
        members[giver] = np.delete(members[giver], moving)
    return tuple(
        replace(bucket, members=tuple(np.sort(own).tolist()))
        for bucket, own in zip(data.buckets, members, strict=True)
        if len(own)
    )


def _shape(data: Bucketed, sizes: np.ndarray) -> np.ndarray:
    """What buckets are near in: log2 of the ratio; log2 of both sides where pictures keep their scale."""
    logs = np.log2(sizes)
    shape: np.ndarray = logs[:, :1] - logs[:, 1:] if data.fit == "cover" else logs
    return shape


def _nearest(points: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of (N, D) the nearest of (K, D) by the sum of differences, and how far it is."""
    label, distance = np.empty(len(points), np.int64), np.empty(len(points))
    rows = max(1, CHUNK // len(targets))
    for start in range(0, len(points), rows):
        far = np.abs(points[start : start + rows, None] - targets[None]).sum(axis=2)
        label[start : start + rows], distance[start : start + rows] = far.argmin(axis=1), far.min(axis=1)
    return label, distance
