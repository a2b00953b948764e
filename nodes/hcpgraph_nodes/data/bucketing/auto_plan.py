"""The best sizes for a set of aspect ratios: the mathematics of `data.auto_bucket`.

Pictures are sorted by x = log2(width / height) and sizes by b likewise; a plan cuts the pictures into intervals and
gives each a size. A picture with the ratio x that is cropped to b loses 1 − 2^−|x − b| of its area. The plan that
minimises

    Σ crop + leftover_cost · Σ leftover + BUCKET_COST · batch_size · buckets,

counted in pictures, is found by dynamic programming over the places between pictures: what leads to place j is the
best place i before it and the best size k of the interval, and of i only its number modulo the batch size matters for
what is left over, so that one table of sizes × residues replaces the search over all i. Of pictures of one ratio a cut
needs to lie only within a batch of the first or the last of them, since crops grow evenly between.

This is exact for up to `RATIOS` different ratios or `PICTURES` pictures, up to `SIZES` sizes, as long as places ×
sizes × batch size are no more than `WORK`, which holds for batches of up to 32. Beyond that ratios are joined in
stretches of equal length, between which alone cuts may lie. With a limit on the number of buckets it is exact where
limit × places are no more than `LIMITED_STEPS`; beyond that a price of a bucket is searched that keeps to the limit,
which may leave one bucket unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .resize import Size
from .sizing import log_ratios, nearest_ratio

RATIOS = 512
SIZES = 512
PICTURES = 8192
WORK = 1 << 29
LIMITED_STEPS = 1 << 16
FINE = 8192
"""Ratios that crops are counted with; more are rounded to the nearest of so many."""
AREA_TOLERANCE = 0.1
BUCKET_COST = 0.125
HALVINGS = 24
SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Costs:
    """What a plan is judged by.

    Attributes:
        batch_size: Samples a batch over all ranks.
        leftover: How many pictures a leftover sample weighs.
        drop: Whether leftovers are dropped; otherwise they are repeated or in a smaller batch.
        max_crop: A picture that loses more than this, and more than it must, weighs as much as two batches.
        bucket: What a bucket weighs, in pictures.
    """

    batch_size: int
    leftover: float
    drop: bool
    max_crop: float
    bucket: float

    def rest(self, count: np.ndarray) -> np.ndarray:
        """Leftovers of buckets with `count` pictures; a bucket that never fills a batch loses all of them for good."""
        if self.drop:
            return np.where(count < self.batch_size, 2 * count, count % self.batch_size)
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
    tables = [
        _Table(logs[order], log_ratios(np.array(own)), costs)
        for (logs, _), order, own in zip(groups, orders, sizes, strict=True)
    ]
    plans = []
    for (chosen, ends), order, own in zip(_limited(tables, costs, limit), orders, sizes, strict=True):
        numbers: dict[int, int] = {}
        labels = np.empty(len(order), np.int64)
        each = [numbers.setdefault(size, len(numbers)) for size in chosen]
        labels[order] = np.repeat(each, np.diff([0, *ends]))
        plans.append(([own[i] for i in numbers], labels))
    return plans


Intervals = tuple[list[int], list[int]]
"""The size of every interval, and where it ends."""


def _limited(tables: list[_Table], costs: Costs, limit: int) -> list[Intervals]:
    """The best intervals of which there are no more than the limit."""
    found = [table.best(costs.bucket) for table in tables]
    if not limit or sum(len(chosen) for chosen, _ in found) <= limit:
        return found
    room = limit - len(tables) + 1
    if room * sum(len(table.places) for table in tables) <= LIMITED_STEPS:
        return _shared([table.best_of_each(room) for table in tables], limit)
    low = costs.bucket
    high = (
        sum(table.count for table in tables) * (1.0 + 2 * costs.batch_size) + 2 * costs.leftover * costs.batch_size + 1
    )
    kept = [table.best(high) for table in tables]
    for _ in range(HALVINGS):
        price = float(np.sqrt(low * high))
        found = [table.best(price) for table in tables]
        amount = sum(len(chosen) for chosen, _ in found)
        if amount <= limit:
            high, kept = price, found
        else:
            low = price
        if amount == limit:
            break
    return kept


def _shared(choices: list[list[tuple[float, Intervals]]], limit: int) -> list[Intervals]:
    """One choice of each group, its number of intervals from 1 on, with the lowest cost within a number for all."""
    best: dict[int, tuple[float, list[Intervals]]] = {0: (0.0, [])}
    for own in choices:
        more: dict[int, tuple[float, list[Intervals]]] = {}
        for used, (cost, before) in best.items():
            for number, (price, intervals) in enumerate(own, 1):
                total = used + number
                if total <= limit and (total not in more or cost + price < more[total][0]):
                    more[total] = cost + price, [*before, intervals]
        best = more
    return min(best.values(), key=lambda pair: pair[0])[1]


def _candidates(logs: np.ndarray, sizes: list[Size]) -> list[Size]:
    """The sizes from the one nearest to the tallest picture to that nearest to the widest, at most `SIZES`.

    Of more, those nearest to pictures come first, and then some at even distances.
    """
    counts = np.bincount(nearest_ratio(logs, sizes), minlength=len(sizes))
    used = np.flatnonzero(counts)
    if used[-1] - used[0] < SIZES:
        return sizes[used[0] : used[-1] + 1]
    if len(used) > SIZES // 2:
        used = np.sort(used[np.argsort(-counts[used], kind="stable")][: SIZES // 2])
    every = np.arange(np.flatnonzero(counts)[0], np.flatnonzero(counts)[-1] + 1)
    even = every[np.linspace(0, len(every) - 1, SIZES - len(used)).round().astype(np.int64)]
    return [sizes[i] for i in np.union1d(used, even)]


class _Table:
    """Pictures sorted by ratio, the places where an interval may begin and end, and what they cost in every size."""

    def __init__(self, logs: np.ndarray, places: np.ndarray, costs: Costs) -> None:
        self.costs = costs
        self.count, self.sizes = len(logs), len(places)
        self.places = self._cuts(logs)
        self.losses = self._prefix(logs, places)

    @cached_property
    def _residues(self) -> np.ndarray:
        return np.arange(self.costs.batch_size)

    def _cuts(self, logs: np.ndarray) -> np.ndarray:
        """Numbers of pictures before a cut, from 0 to all of them."""
        batch, count = self.costs.batch_size, self.count
        starts = np.flatnonzero(np.diff(logs, prepend=logs[0] - 1))
        per_ratio = min(2 * batch, -(-count // len(starts)))
        allowed = max(8, min(RATIOS, WORK // max(1, per_ratio * self.sizes * batch)))
        if len(starts) > allowed and (count > PICTURES or count * self.sizes * batch > WORK):
            edges = np.linspace(logs[0], logs[-1], allowed + 1)[1:-1]
            starts = np.unique(np.concatenate(([0], np.searchsorted(logs, edges))))
            starts = starts[starts < count]
        near = np.arange(batch)
        ends = np.append(starts[1:], count)
        inside = np.concatenate([(starts[:, None] + near).ravel(), (ends[:, None] - near).ravel(), [count]])
        low, high = np.repeat(starts, batch), np.repeat(ends, batch)
        kept = (inside[:-1] >= np.tile(low, 2)) & (inside[:-1] <= np.tile(high, 2))
        return np.unique(np.concatenate([[0], inside[:-1][kept], [count]]))

    def _prefix(self, logs: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Loss of the pictures before every cut in every size (sizes, cuts)."""
        values, counts = np.unique(logs, return_counts=True)
        if len(values) > FINE:
            step = (values[-1] - values[0]) / (FINE - 1)
            values, counts = np.unique(np.rint((logs - logs[0]) / step) * step + logs[0], return_counts=True)
        crops = 1 - 2.0 ** -np.abs(values[None] - places[:, None])
        worth = crops + 2 * self.costs.batch_size * (crops > np.maximum(self.costs.max_crop, crops.min(0)) + SLACK)
        ends = np.concatenate(([0], np.cumsum(counts)))
        sums = np.concatenate((np.zeros((len(places), 1)), np.cumsum(worth * counts, axis=1)), axis=1)
        at = np.searchsorted(ends, self.places, side="right") - 1
        inside = (self.places - ends[at])[None] * np.append(worth, np.zeros((len(places), 1)), axis=1)[:, at]
        found: np.ndarray = sums[:, at] + inside
        return found

    def best(self, price: float) -> Intervals:
        """The best intervals, if each costs `price`."""
        _, origins, chosen = self._pass(None, price)
        return self._back([origins], [chosen])

    def best_of_each(self, most: int) -> list[tuple[float, Intervals]]:
        """The lowest cost of 1, 2, … intervals, and the intervals."""
        values = np.full(len(self.places), np.inf)
        values[0] = 0.0
        origins, sizes, found = [], [], []
        for _ in range(min(most, len(self.places) - 1)):
            values, origin, size = self._pass(values, self.costs.bucket)
            origins.append(origin)
            sizes.append(size)
            if np.isfinite(values[-1]):
                found.append((float(values[-1]), self._back(origins, sizes)))
        return found

    def _pass(self, before: np.ndarray | None, price: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every cut the least cost of what lies before it, where its last interval begins, and the size of that.

        Args:
            before: Cost of what lies before a cut in one interval less; None: in any number of intervals.
            price: What an interval costs.
        """
        batch, drop = self.costs.batch_size, self.costs.drop
        rest = self.costs.leftover * self.costs.rest(np.arange(batch, 2 * batch)).astype(np.float64)
        amount = len(self.places)
        value, origin, size = np.full(amount, np.inf), np.zeros(amount, np.int64), np.zeros(amount, np.int64)
        value[0] = 0.0 if before is None else np.inf
        source = value if before is None else before
        table, begins = np.full((self.sizes, batch), np.inf), np.zeros((self.sizes, batch), np.int64)
        entered = 0
        every = np.arange(self.sizes)
        for j in range(1, amount):
            here, losses = int(self.places[j]), self.losses[:, j]
            # with drop, a bucket below a batch loses twice what its residue says: such beginnings are looked at apart
            while entered < j and (not drop or here - self.places[entered] >= batch):
                column = int(self.places[entered]) % batch
                own = source[entered] - self.losses[:, entered]
                better = own < table[:, column]
                table[better, column], begins[better, column] = own[better], entered
                entered += 1
            cost = table + rest[(here - self._residues) % batch]
            column = cost.argmin(axis=1)
            total = cost[every, column] + losses
            k = int(total.argmin())
            least, begin = float(total[k]), int(begins[k, column[k]])
            if drop and entered < j:
                late = np.arange(entered, j)
                few = source[late] + self.costs.leftover * self.costs.rest(here - self.places[late])
                small = few[None] + losses[:, None] - self.losses[:, late]
                spot = int(small.argmin())
                if small.flat[spot] < least:
                    least, k, begin = float(small.flat[spot]), spot // len(late), int(late[spot % len(late)])
            value[j], origin[j], size[j] = least + price, begin, k
        return value, origin, size

    def _back(self, origins: list[np.ndarray], sizes: list[np.ndarray]) -> Intervals:
        """The intervals that lead to the last cut: through one table, or one a number of intervals."""
        chosen: list[int] = []
        stops: list[int] = []
        at, level = len(self.places) - 1, len(origins) - 1
        while at:
            chosen.append(int(sizes[level][at]))
            stops.append(int(self.places[at]))
            at = int(origins[level][at])
            level = max(0, level - 1)
        return chosen[::-1], stops[::-1]


def costs_of(batch_size: int, leftover_cost: float, drop: bool, max_crop: float) -> Costs:
    """The usual costs: a bucket weighs an eighth of a batch."""
    return Costs(batch_size, leftover_cost, drop, max_crop, BUCKET_COST * batch_size)
