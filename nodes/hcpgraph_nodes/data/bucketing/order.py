"""The order of an epoch: a function of (seed, epoch) and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from hcpgraph.rng import stream_seed

Leftover = Literal["pad_repeat", "drop", "partial", "merge"]


class Group(NamedTuple):
    """The samples of one batch, all from one bucket; `start` is the position of the first in the epoch's order."""

    bucket: int
    start: int
    samples: tuple[int, ...]


def permutation(n: int, seed: int) -> np.ndarray:
    """A permutation of 0 … n − 1. It sorts raw PCG64 words, whose stream NumPy never changes (NEP 19)."""
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable")


def batches_per_epoch(members: Sequence[Sequence[int]], batch_size: int, leftover: Leftover) -> int:
    return sum(len(m) // batch_size if leftover == "drop" else -(-len(m) // batch_size) for m in members)


def epoch_order(
    members: Sequence[Sequence[int]],
    batch_size: int,
    leftover: Leftover,
    shuffle: bool,
    seed: int,
    epoch: int,
    world: int = 1,
) -> list[Group]:
    """The batches of one epoch.

    Samples are shuffled within their bucket, cut into batches, and the batches are shuffled. What is left over in a
    bucket is filled up with the first samples of its order (`pad_repeat`), left out until another epoch's order brings
    it forward (`drop`), or forms a smaller batch (`partial`; `merge`, once data.leftover has moved what it can).

    Args:
        members: Sample indices of every bucket.
        batch_size: Samples a batch, over all ranks.
        leftover: What happens with the rest of a bucket.
        shuffle: Whether anything is shuffled; otherwise buckets and samples keep their order.
        seed: Seed of the order.
        epoch: Number of the epoch.
        world: Number of ranks that share a batch; a smaller batch repeats samples until every rank has as many.
    """
    batches: list[tuple[int, tuple[int, ...]]] = []
    for bucket, indices in enumerate(members):
        count = len(indices)
        order = permutation(count, stream_seed(seed, "order", (epoch,), bucket)) if shuffle else np.arange(count)
        full = count - count % batch_size if leftover == "drop" else count
        for start in range(0, full, batch_size):
            stop = start + batch_size if leftover == "pad_repeat" else min(start + batch_size, full)
            stop += (start - stop) % world
            batches.append((bucket, tuple(indices[order[i % count]] for i in range(start, stop))))
    turns = permutation(len(batches), stream_seed(seed, "order", (epoch,))) if shuffle else np.arange(len(batches))
    groups, position = [], 0
    for turn in turns:
        bucket, samples = batches[turn]
        groups.append(Group(bucket, position, samples))
        position += len(samples)
    return groups


def share(group: Group, rank: int, world: int) -> Group:
    """The part of a batch that one of `world` ranks takes: neighbours in the epoch's order."""
    each = len(group.samples) // world
    return Group(group.bucket, group.start + rank * each, group.samples[rank * each : (rank + 1) * each])
