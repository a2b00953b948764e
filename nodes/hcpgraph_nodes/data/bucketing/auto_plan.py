"""The best sizes for a set of aspect ratios: the mathematics of `data.auto_bucket`.

Pictures are sorted by x = log2(width / height) and sizes by b likewise; a bucket is then an interval of pictures. One
with the ratio x that is cropped to b loses 1 − 2^−|x − b| of its area, whose sum over an interval is a difference of
prefix sums of 2^x and 2^−x. The plan that minimises

    Σ crop + leftover_cost · Σ leftover + BUCKET_COST · batch_size · buckets,

counted in pictures, is a shortest path: a node of it is a cut between two sizes, an edge a bucket between two cuts. A
cut lies where both sizes are equally near, or at the next multiple of the batch size: this moves a few pictures that
are almost as near to the one as to the other, and leaves nothing over. A Lagrange multiplier on the number of buckets
keeps it below a limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resize import Size
from .sizing import log_ratios, nearest_ratio

CANDIDATES = 224
EVEN = 32
AREA_TOLERANCE = 0.1
BUCKET_COST = 0.125
HALVINGS = 24


@dataclass(frozen=True, slots=True)
class Costs:
    """What a plan is judged by.

    Attributes:
        batch_size: Samples a batch over all ranks.
        leftover: How many pictures a leftover sample weighs.
        drop: Whether leftovers are dropped; otherwise they are repeated or in a smaller batch.
        max_crop: A picture that loses more than this weighs as much as two batches.
        bucket: What a bucket weighs, in pictures.
    """

    batch_size: int
    leftover: float
    drop: bool
    max_crop: float
    bucket: float

    def rest(self, count: np.ndarray) -> np.ndarray:
        """Leftovers of buckets with `count` pictures; a bucket that never fills a batch loses all of them for good."""
        rest = count % self.batch_size
        if self.drop:
            return np.where(count < self.batch_size, 2 * rest, rest)
        return -count % self.batch_size


def lattice(area: int, step: int, max_ratio: float) -> list[Size]:
    """Sizes with about this area from the tallest to the widest, sides multiples of `step`, one for every ratio.

    For every width and for every height the other side that comes nearest to the area; at most a tenth off, unless the
    steps are so coarse that nothing is.
    """
    longest = max(step, int(np.sqrt(area * max_ratio)) // step * step)
    sides = np.arange(step, longest + 1, step)
    others = np.maximum(1, np.rint(area / sides / step).astype(np.int64)) * step
    pairs = np.concatenate([np.stack([sides, others], 1), np.stack([others, sides], 1)])
    near = np.abs(log_ratios(pairs)) <= np.log2(max_ratio) + 1e-9
    pairs = pairs[near] if near.any() else np.array([[step, step]])
    off = np.abs(np.log2(pairs.prod(axis=1) / area)).round(9)
    pairs = pairs[off <= max(np.log2(1 + AREA_TOLERANCE), off.min())]
    off = np.abs(np.log2(pairs.prod(axis=1) / area)).round(9)
    best: dict[float, Size] = {}
    for row in np.lexsort((pairs[:, 0], off)):
        width, height = map(int, pairs[row])
        best.setdefault(width / height, (width, height))
    return [best[ratio] for ratio in sorted(best)]


def plan(groups: list[tuple[np.ndarray, list[Size]]], costs: Costs, limit: int) -> list[tuple[list[Size], np.ndarray]]:
    """For each group of pictures the sizes to use, and the number of its size for every picture.

    Args:
        groups: log2(width / height) of the pictures (N,), N ≥ 1, and the sizes they may have, in order of their ratios.
        costs: What the plan is judged by.
        limit: At most this many sizes in all, at least one a group; 0 for any number.
    """
    orders = [np.argsort(logs, kind="stable") for logs, _ in groups]
    sizes = [_candidates(logs, offered) for logs, offered in groups]
    cuts = [
        _Cuts(logs[order], log_ratios(np.array(own)), costs)
        for (logs, _), order, own in zip(groups, orders, sizes, strict=True)
    ]
    found = _limited(cuts, costs, limit)
    plans = []
    for (chosen, ends), order, own in zip(found, orders, sizes, strict=True):
        labels = np.empty(len(order), np.int64)
        labels[order] = np.repeat(np.arange(len(chosen)), np.diff([0, *ends]))
        plans.append(([own[i] for i in chosen], labels))
    return plans


def _limited(cuts: list[_Cuts], costs: Costs, limit: int) -> list[tuple[list[int], list[int]]]:
    """The best intervals at the lowest price of a bucket that keeps their number within the limit."""
    found = [own.shortest(costs.bucket) for own in cuts]
    if not limit or sum(len(chosen) for chosen, _ in found) <= limit:
        return found
    low = costs.bucket
    high = sum(own.count for own in cuts) * (1.0 + 2 * costs.batch_size) + 2 * costs.leftover * costs.batch_size + 1
    kept = [own.shortest(high) for own in cuts]
    for _ in range(HALVINGS):
        price = float(np.sqrt(low * high))
        found = [own.shortest(price) for own in cuts]
        amount = sum(len(chosen) for chosen, _ in found)
        if amount <= limit:
            high, kept = price, found
        else:
            low = price
        if amount == limit:
            break
    return kept


def _candidates(logs: np.ndarray, sizes: list[Size]) -> list[Size]:
    """The sizes nearest to pictures; where these are many, those with the most pictures of every stretch of ratios.

    With them come some at even distances: what is between two groups of pictures may serve both.
    """
    counts = np.bincount(nearest_ratio(logs, sizes), minlength=len(sizes))
    used = np.flatnonzero(counts)
    places = log_ratios(np.array(sizes))
    low, high = places[used[0]], places[used[-1]]
    if len(used) > CANDIDATES:
        stretch = np.minimum(((places[used] - low) / (high - low) * CANDIDATES).astype(np.int64), CANDIDATES - 1)
        ranked = used[np.lexsort((-counts[used], stretch))]
        used = ranked[np.unique(np.sort(stretch), return_index=True)[1]]
    between = nearest_ratio(np.linspace(low, high, EVEN), sizes)
    return [sizes[i] for i in np.union1d(used, between)]


class _Cuts:
    """Pictures sorted by ratio, and every place where the interval of one size may end and that of another begin."""

    def __init__(self, logs: np.ndarray, places: np.ndarray, costs: Costs) -> None:
        self.costs = costs
        self.count, self.places = len(logs), places
        self.rising = np.concatenate(([0.0], np.cumsum(2.0**logs)))
        self.falling = np.concatenate(([0.0], np.cumsum(2.0**-logs)))
        self.middle = np.searchsorted(logs, places)
        reach = -np.log2(1 - costs.max_crop) if costs.max_crop < 1 else np.inf
        self.low = np.searchsorted(logs, places - reach - 1e-9)
        self.high = np.searchsorted(logs, places + reach + 1e-9)
        natural = np.searchsorted(logs, (places[:, None] + places[None]) / 2)
        batch = costs.batch_size
        snapped = np.minimum((natural + batch // 2) // batch * batch, self.count // batch * batch)
        self.cuts = np.stack([natural, snapped], axis=-1)
        sizes = np.arange(len(places))
        left, right = (self._loss(self.cuts, sizes[:, None, None]), self._loss(self.cuts, sizes[None, :, None]))
        self.between = left - right
        self.last = self._loss(np.full(len(places), self.count), sizes)

    def _loss(self, end: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Loss of the pictures [0, end) in a size: their crops, and the price of those that lose more than allowed."""
        here = np.minimum(end, self.middle[size])
        scale = 2.0 ** self.places[size]
        crop = end - self.rising[here] / scale - (self.falling[np.maximum(end, here)] - self.falling[here]) * scale
        beyond = np.minimum(end, self.low[size]) + np.maximum(0, end - self.high[size])
        loss: np.ndarray = crop + 2 * self.costs.batch_size * beyond
        return loss

    def shortest(self, price: float) -> tuple[list[int], list[int]]:
        """The chosen sizes and the end of each one's interval, if every bucket costs `price`."""
        amount = len(self.places)
        value = np.full((amount, amount, 2), np.inf)
        origin = np.zeros((amount, amount, 2), np.int64)
        total, final = np.full(amount, np.inf), np.zeros(amount, np.int64)
        for j in range(amount):
            begins = np.concatenate(([0], self.cuts[:j, j].ravel()))
            before = np.concatenate(([0.0], value[:j, j].ravel()))
            ends = np.concatenate((self.cuts[j, j + 1 :].ravel(), [self.count]))
            counts = ends[:, None] - begins[None]
            cost = before[None] + self.costs.leftover * self.costs.rest(counts) + price
            cost = np.where(counts > 0, cost, np.inf)
            best = cost.argmin(axis=1)
            least = cost[np.arange(len(ends)), best]
            value[j, j + 1 :] = least[:-1].reshape(-1, 2) + self.between[j, j + 1 :]
            origin[j, j + 1 :] = best[:-1].reshape(-1, 2)
            total[j], final[j] = least[-1] + self.last[j], best[-1]
        j = int(total.argmin())
        chosen, stops, begin = [j], [self.count], int(final[j])
        while begin:
            i, kind = divmod(begin - 1, 2)
            stops.append(int(self.cuts[i, j, kind]))
            j, begin = i, int(origin[i, j, kind])
            chosen.append(j)
        return chosen[::-1], stops[::-1]


def costs_of(batch_size: int, leftover_cost: float, drop: bool, max_crop: float) -> Costs:
    """The usual costs: a bucket weighs an eighth of a batch."""
    return Costs(batch_size, leftover_cost, drop, max_crop, BUCKET_COST * batch_size)
