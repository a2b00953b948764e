"""k-means that gives the same clusters everywhere: exact in one dimension, seeded in several."""

from __future__ import annotations

import numpy as np

from .sizing import nearest_point

GRID = 1024
CELLS = 128
SEED = 3407
STARTS = 4
ROUNDS = 100


def kmeans_1d(values: np.ndarray, k: int) -> np.ndarray:
    """Centres (ascending, at most k) that minimise the sum of squared distances to the nearest centre.

    In one dimension clusters are intervals, so dynamic programming finds the optimum without a random start (Wang &
    Song, "Ckmeans.1d.dp", R Journal 2011). Fewer distinct values than k: each is its own centre. More than 1024
    distinct values are first snapped to a grid of 1024 over their range; the centres are means of the true values.

    Args:
        values: (N,) finite numbers, N ≥ 1.
        k: Number of clusters, ≥ 1.
    """
    points, repeats = np.unique(np.asarray(values, np.float64), return_counts=True)
    counts = repeats.astype(np.float64)
    sums = points * counts
    if len(points) > GRID:
        low, high = points[0], points[-1]
        cell = np.rint((points - low) / (high - low) * (GRID - 1)).astype(np.int64)
        weights, places = np.zeros(GRID), np.zeros(GRID)
        np.add.at(weights, cell, counts)
        np.add.at(places, cell, sums)
        counts, sums = weights[weights > 0], places[weights > 0]
        points = sums / counts
    if len(points) <= k:
        return points
    weight = np.concatenate(([0.0], np.cumsum(counts)))
    total = np.concatenate(([0.0], np.cumsum(sums)))
    square = np.concatenate(([0.0], np.cumsum(counts * points**2)))
    w = weight[None, 1:] - weight[:-1, None]
    s = total[None, 1:] - total[:-1, None]
    q = square[None, 1:] - square[:-1, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(w > 0, q - s**2 / w, np.inf)
    best = cost[0]
    starts = []
    for _ in range(1, k):
        before = np.concatenate(([np.inf], best[:-1]))[:, None] + cost
        starts.append(before.argmin(axis=0))
        best = before.min(axis=0)
    centres, end = [], len(points)
    for start in [*reversed(starts), None]:
        begin = 0 if start is None else int(start[end - 1])
        centres.append((total[end] - total[begin]) / (weight[end] - weight[begin]))
        end = begin
    return np.array(centres[::-1])


def kmeans(points: np.ndarray, k: int) -> np.ndarray:
    """Centres (at most k, D) with a small sum of squared distances from every point to the nearest.

    Lloyd's iterations from k-means++ starts (Arthur & Vassilvitskii, SODA 2007) with a fixed seed; the best of four.
    Equal points are counted, not repeated. Fewer distinct points than k: each is its own centre. More than 65,536 are
    first joined in the cells of a grid of 128 a dimension, each at the mean of its points.

    Args:
        points: (N, D) finite numbers, N ≥ 1.
        k: Number of clusters, ≥ 1.
    """
    points, counts = _counted(np.asarray(points, np.float64))
    if len(points) <= k:
        return points
    best, least = points[:1], np.inf
    rng = np.random.Generator(np.random.PCG64(SEED))
    for _ in range(STARTS):
        centres, loss = _lloyd(points, counts, _spread(points, counts, k, rng))
        if loss < least:
            best, least = centres, loss
    return best


def _counted(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct points in lexicographic order and how often each occurs."""
    points, counts = np.unique(points, axis=0, return_counts=True)
    if len(points) <= 1 << 16:
        return points, counts.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    cell = np.rint((points - low) / np.maximum(high - low, 1e-12) * (CELLS - 1)).astype(np.int64)
    _, label = np.unique(cell, axis=0, return_inverse=True)
    label = label.reshape(-1)
    total = np.bincount(label, weights=counts)
    columns = [np.bincount(label, weights=points[:, axis] * counts) / total for axis in range(points.shape[1])]
    return np.stack(columns, axis=1), total


def _spread(points: np.ndarray, counts: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each start is drawn with the squared distance to those before it as its weight."""
    chosen = [_drawn(counts, rng)]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < k:
        chosen.append(_drawn(distance * counts, rng))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _drawn(weights: np.ndarray, rng: np.random.Generator) -> int:
    """An index, drawn in proportion to its weight; one of weight 0 is never drawn."""
    sums = np.cumsum(weights)
    return min(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), int(np.flatnonzero(weights)[-1]))


def _lloyd(points: np.ndarray, counts: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    label = nearest_point(points, centres)
    for _ in range(ROUNDS):
        total = np.bincount(label, weights=counts, minlength=len(centres))
        sums = [np.bincount(label, weights=column * counts, minlength=len(centres)) for column in points.T]
        filled = total > 0
        centres = np.where(filled[:, None], np.stack(sums, axis=1) / np.maximum(total, 1)[:, None], centres)
        before, label = label, nearest_point(points, centres)
        if np.array_equal(before, label):
            break
    loss = float((((points - centres[label]) ** 2).sum(axis=1) * counts).sum())
    return centres[np.unique(label)], loss
