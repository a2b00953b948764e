"""`data.flip`: mirrored pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Slider

from .sources.dataset import Dataset
from .transforms.transform import Transform, Views
from .transforms.transformed import transformed, uniform


@dataclass(frozen=True, slots=True)
class Flip(Transform):
    """Mirrors with these probabilities, independently of each other."""

    horizontal: float
    vertical: float

    def apply(self, views: Views, draw: int) -> Views:
        if uniform(draw, "horizontal") < self.horizontal:
            views = views.mirrored()
        return upended(views) if uniform(draw, "vertical") < self.vertical else views

    @property
    def random(self) -> bool:
        return not {self.horizontal, self.vertical} <= {0.0, 1.0}


def upended(views: Views) -> Views:
    """Top and bottom exchanged; the corner is that of the upended scaled picture."""
    return replace(
        views,
        picture=views.picture[::-1],
        mask=None if views.mask is None else views.mask[::-1],
        condition=None if views.condition is None else views.condition[::-1],
        corner=(max(0, views.scaled[0] - views.corner[0] - views.picture.shape[0]), views.corner[1]),
    )


@node("data.flip")
def flip(
    dataset: Dataset,
    *,
    horizontal: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.5,
    vertical: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.0,
) -> Dataset:
    """Mirror some of the pictures, anew in every epoch, with their masks and conditions.

    Not for what has a handedness: text, logos, faces parted on one side. The crop corner that SDXL is told is that of
    the mirrored picture.

    Args:
        dataset: The pictures.
        horizontal: Probability that left and right are exchanged.
        vertical: Probability that top and bottom are exchanged.

    Raises:
        GraphError: E_DATA, the data set is of texts alone.
    """
    return transformed(dataset, Flip(float(horizontal), float(vertical)))
