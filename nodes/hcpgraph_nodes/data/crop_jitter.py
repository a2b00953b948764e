"""`data.crop_jitter`: a part of each picture, now a larger and now a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Slider

from .sources.dataset import Dataset
from .transforms.transform import Transform
from .transforms.transformed import transformed, uniform


@dataclass(frozen=True, slots=True)
class CropJitter(Transform):
    """Scales by a factor between two limits before the crop, its logarithm uniform."""

    smallest: float
    largest: float

    def zoom(self, draw: int) -> float:
        factor: float = self.smallest * (self.largest / self.smallest) ** uniform(draw, "zoom")
        return factor

    @property
    def random(self) -> bool:
        return self.smallest < self.largest


@node("data.crop_jitter")
def crop_jitter(
    dataset: Dataset,
    *,
    min_zoom: Annotated[float, Field(ge=1, le=16), Slider(step=0.05)] = 1.0,
    max_zoom: Annotated[float, Field(ge=1, le=16), Slider(step=0.05)] = 1.25,
) -> Dataset:
    """Scale pictures somewhat larger than their bucket needs before they are cropped, anew in every epoch.

    With zoom z a picture that fits its bucket exactly loses 1 − 1/z² of its area. Where the crop lies is the bucket's
    setting `crop`: `random` anywhere, `center` around the middle. Mask and condition are cropped alike, and the crop
    corner that SDXL is told is that in the larger picture. Buckets that keep the scale of pictures (data.size_bucket)
    do not zoom. Of several zooms in a chain the largest counts.

    Args:
        dataset: The pictures.
        min_zoom: Smallest factor, 1 for no more than covers the bucket.
        max_zoom: Largest factor.

    Raises:
        GraphError: E_RANGE (`min_zoom` is above `max_zoom`), E_DATA (the data set is of texts alone).
    """
    if min_zoom > max_zoom:
        raise GraphError(
            "E_RANGE", f"min_zoom {min_zoom:g} is above max_zoom {max_zoom:g}", port="min_zoom", hint="exchange them"
        )
    return transformed(dataset, CropJitter(float(min_zoom), float(max_zoom)))
