"""What scaling and cropping does to every sample of a loader, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.bucketing.report import losses
from ..data.loader import Loader


@dataclass(frozen=True)
class Measured:
    """One value a place: the members of all buckets, one bucket after the other.

    Attributes:
        sample: Index of the sample.
        crop: Part of the picture that is cut off, in [0, 1).
        scale: How much it is enlarged; below 1 it shrinks. 1 where pictures keep their scale.
    """

    sample: np.ndarray
    crop: np.ndarray
    scale: np.ndarray


def measure(loader: Loader, sizes: np.ndarray) -> Measured:
    """Crop and scale of every sample, before zooms that a transform draws.

    Args:
        loader: The loader.
        sizes: (width, height) of all samples of its data set (N, 2).
    """
    crop, scale = [], []
    for bucket in loader.buckets:
        own = sizes[list(bucket.members)]
        crop.append(losses(own, bucket, loader.data.fit)[0])
        grown = (np.array([bucket.width, bucket.height]) / own).max(axis=1)
        scale.append(grown if loader.data.fit == "cover" else np.ones(len(own)))
    members = [index for bucket in loader.buckets for index in bucket.members]
    return Measured(np.array(members, np.int64), np.concatenate(crop), np.concatenate(scale))
