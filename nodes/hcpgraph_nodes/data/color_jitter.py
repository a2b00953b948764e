"""`data.color_jitter`: other light, other colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from hcpgraph import node
from hcpgraph.rng import stream_seed
from hcpgraph.widgets import Slider

from .sources.dataset import Dataset
from .transforms.transform import Transform, Views
from .transforms.transformed import transformed, uniform

CHANGES = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True, slots=True)
class ColorJitter(Transform):
    """Changes a picture with this probability by at most this much, in an order that is drawn too."""

    brightness: float
    contrast: float
    saturation: float
    hue: float
    probability: float

    def apply(self, views: Views, draw: int) -> Views:
        import torch
        from torchvision.transforms.v2 import functional

        if uniform(draw, "probability") >= self.probability:
            return views
        pixels = torch.from_numpy(np.ascontiguousarray(views.picture)).permute(2, 0, 1)
        for name in sorted(CHANGES, key=lambda change: stream_seed(draw, f"order of {change}")):
            if reach := getattr(self, name):
                shift = reach * (2 * uniform(draw, name) - 1)
                change = getattr(functional, f"adjust_{name}")
                pixels = change(pixels, shift if name == "hue" else max(0.0, 1 + shift))
        return replace(views, picture=pixels.permute(1, 2, 0).contiguous().numpy())

    @property
    def random(self) -> bool:
        return self.probability > 0 and any(getattr(self, name) for name in CHANGES)


@node("data.color_jitter")
def color_jitter(
    dataset: Dataset,
    *,
    brightness: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.1,
    contrast: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.1,
    saturation: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.1,
    hue: Annotated[float, Field(ge=0, le=0.5), Slider(step=0.01)] = 0.0,
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
) -> Dataset:
    """Change brightness, contrast, saturation and hue of pictures by chance, anew in every epoch.

    Each factor is drawn uniformly from 1 − x … 1 + x, the hue from −x … x, and the four follow each other in an order
    that is drawn too, as torchvision's ColorJitter has it; the arithmetic is torchvision.transforms.v2's. Masks and
    conditions stay as they are.

    Args:
        dataset: The pictures.
        brightness: Largest change of the brightness, 0 for none; 1 reaches from black to twice as bright.
        contrast: Largest change of the distance from the mean grey.
        saturation: Largest change of the distance from grey.
        hue: Largest turn of the colour circle, in whole turns.
        probability: Probability that a picture is changed at all.

    Raises:
        GraphError: E_DATA, the data set is of texts alone.
    """
    values = (brightness, contrast, saturation, hue, probability)
    return transformed(dataset, ColorJitter(*map(float, values)))
