"""How many times each sample of a data set counts in an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from .dataset import Sample


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """`count` samples in which each of the n counts ⌊count / n⌋ or ⌈count / n⌉ times.

    Those that count once more lie evenly over the list: sample i counts ⌊(i + 1) · count / n⌋ − ⌊i · count / n⌋ times.
    """
    n = len(samples)
    return [sample for i, sample in enumerate(samples) for _ in range((i + 1) * count // n - i * count // n)]
