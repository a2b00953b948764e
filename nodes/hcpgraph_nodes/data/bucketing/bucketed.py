"""`Bucketed`: samples assigned to picture sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hcpgraph.types import port_type

from ...image.color import RGB
from ..sources.dataset import Dataset
from .order import Leftover

Crop = Literal["random", "center"]
Fit = Literal["cover", "pad"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """One size (pixels) and the indices of the samples that are brought to it."""

    width: int
    height: int
    members: tuple[int, ...]


@port_type(color="#c9b458", shape="diamond")
@dataclass(frozen=True, slots=True)
class Bucketed:
    """A data set whose samples are assigned to picture sizes.

    Attributes:
        dataset: The samples.
        buckets: The sizes, each with its samples.
        crop: Where the excess is cut off: `random` anew for every sample key, `center` always the same.
        leftover: What happens to samples that do not fill a batch of their bucket.
        fit: `cover` scales a picture until it covers its size; `pad` keeps its scale and fills what is missing at the
            right and at the bottom with `background`, which counts nothing in the loss mask.
        background: The colour that fills.
    """

    dataset: Dataset
    buckets: tuple[Bucket, ...]
    crop: Crop
    leftover: Leftover
    fit: Fit = "cover"
    background: RGB = (0, 0, 0)
