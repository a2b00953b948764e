"""k-means in one dimension, exact and deterministic."""

from __future__ import annotations

import numpy as np

GRID = 1024


def kmeans_1d(values: np.ndarray, k: int) -> np.ndarray:
    """Centres (ascending, at most k) that minimise the sum of squared distances to the nearest centre.

    In one dimension clusters are intervals, so dynamic programming finds the optimum without a random start (Wang &
    Song, "Ckmeans.1d.dp", R Journal 2011). Fewer distinct values than k: each is its own centre. More than 1024
    distinct values are first snapped to a grid of 1024 over their range; the centres are means of the true values.

    Args:
        values: (N,) finite numbers, N ≥ 1.
        k: Number of clusters, ≥ 1.
    """
    points, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    sums = points * counts
    if len(points) > GRID:
        low, high = points[0], points[-1]
        cell = np.rint((points - low) / (high - low) * (GRID - 1)).astype(np.int64)
        counts = np.bincount(cell, weights=counts, minlength=GRID)
        sums = np.bincount(cell, weights=sums, minlength=GRID)
        counts, sums = counts[counts > 0], sums[counts > 0]
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
