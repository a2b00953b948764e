"""What all bucket nodes do with sizes: read them, find the nearest bucket, list its members. All of it in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcpgraph.errors import GraphError

from ..sources.dataset import Dataset
from .bucketed import Bucket
from .resize import Size

CHUNK = 1 << 22


def all_sizes(dataset: Dataset) -> np.ndarray:
    """(width, height) of every picture, (N, 2), int64; nothing is decoded.

    Raises:
        GraphError: E_DATA, the data set is empty or of texts alone.
    """
    require_samples(dataset)
    if not dataset.pictures:
        raise GraphError(
            "E_DATA",
            f"the data set '{dataset.name}' is of texts alone and has no sizes",
            port="dataset",
            hint="take data.fixed_bucket, which needs none",
        )
    flat = (side for index in range(len(dataset)) for side in dataset.size(index))
    return np.fromiter(flat, np.int64, 2 * len(dataset)).reshape(-1, 2)


def require_samples(dataset: Dataset) -> None:
    """Raises GraphError E_DATA for a data set without samples."""
    if not len(dataset):
        raise GraphError(
            "E_DATA", f"the data set '{dataset.name}' is empty", port="dataset", hint="see the filters of its node"
        )


def log_ratios(sizes: np.ndarray) -> np.ndarray:
    """log2(width / height) of sizes (N, 2), in which a portrait is as far from a square as the same landscape."""
    logs: np.ndarray = np.log2(sizes[:, 0] / sizes[:, 1])
    return logs


def rounded(side: float, step: int) -> int:
    """A side in pixels as a multiple of `step`, at least one step."""
    return max(step, round(side / step) * step)


def size_of(log_ratio: float, area: float, step: int) -> Size:
    """(width, height) with about this area and log2 ratio, multiples of `step`, at least one step."""
    ratio = 2.0**log_ratio
    height = float(np.sqrt(area / ratio))
    return rounded(height * ratio, step), rounded(height, step)


def by_ratio(shapes: set[Size]) -> list[Size]:
    """Sizes from the tallest to the widest, one for every ratio: of equal ones the largest."""
    best: dict[float, Size] = {}
    for shape in sorted(shapes):
        best[shape[0] / shape[1]] = shape
    return [best[ratio] for ratio in sorted(best)]


def nearest_ratio(logs: np.ndarray, shapes: Sequence[Size]) -> np.ndarray:
    """Number of the size whose log2 ratio is nearest to each of `logs` (N,); sizes are in the order of `by_ratio`.

    Of two that are equally near it is the taller one. Where a picture is scaled to cover its bucket, the nearest ratio
    is the one that loses least: the loss is 1 − 2^−|Δ log2 ratio|.
    """
    centres = log_ratios(np.array(shapes, np.int64))
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, logs)


def nearest_point(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Number of the nearest of `centres` (K, D) for each of `points` (N, D), Euclidean; the first of equal ones."""
    labels = np.empty(len(points), np.int64)
    rows = max(1, CHUNK // len(centres))
    for start in range(0, len(points), rows):
        part = points[start : start + rows]
        distance = sum((part[:, axis, None] - centres[None, :, axis]) ** 2 for axis in range(part.shape[1]))
        labels[start : start + rows] = np.argmin(distance, axis=1)
    return labels


def gathered(shapes: Sequence[Size], labels: np.ndarray) -> tuple[Bucket, ...]:
    """The sizes that have pictures, with their members in ascending order.

    Args:
        shapes: (width, height) of every bucket.
        labels: (N,) number of the bucket of every sample.
    """
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=len(shapes)))
    parts = np.split(order, ends[:-1])
    return tuple(Bucket(*shape, tuple(part.tolist())) for shape, part in zip(shapes, parts, strict=True) if len(part))
