"""`data.torchvision`: any transform of torchvision.transforms.v2 on picture, mask and condition."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from hcpgraph import GraphError, node
from hcpgraph.generators import seeded

from ..python.object import PythonObject
from .sources.dataset import Dataset
from .transforms.transform import Transform, Views
from .transforms.transformed import transformed


@dataclass(frozen=True, slots=True)
class TorchvisionTransform(Transform):
    """A class of torchvision.transforms.v2 and its arguments as JSON, of which each process makes its own object."""

    cls: type[Any]
    args: str

    def apply(self, views: Views, draw: int) -> Views:
        import torch
        from torchvision.tv_tensors import Image, Mask

        def channels_first(picture: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)

        given: dict[str, Any] = {"picture": Image(channels_first(views.picture))}
        if views.mask is not None:
            given["mask"] = Mask(torch.from_numpy(np.ascontiguousarray(views.mask))[None])
        if views.condition is not None:
            given["condition"] = Mask(channels_first(views.condition))
        try:
            with seeded(draw):
                got = _made(self)(given)
            pixels = {name: value.permute(1, 2, 0).contiguous().numpy() for name, value in got.items()}
        except Exception as error:
            raise GraphError(
                "E_TRANSFORM",
                f"{self.cls.__name__} fails on a uint8 picture {views.picture.shape}: {type(error).__name__}: {error}",
                hint="take a transform of 8-bit pictures, or other arguments",
            ) from error
        mask = pixels.get("mask")
        return replace(
            views,
            picture=pixels["picture"],
            mask=None if mask is None else mask[..., 0],
            condition=pixels.get("condition"),
        )

    @property
    def identity(self) -> str:
        from torchvision import __version__

        return f"torchvision {__version__} {self.cls.__module__}.{self.cls.__qualname__} {self.args}"


@lru_cache(maxsize=64)
def _made(transform: TorchvisionTransform) -> Any:
    return PythonObject(transform.cls, json.loads(transform.args)).make()


@node("data.torchvision", title="Torchvision transform")
def torchvision_transform(dataset: Dataset, transform: PythonObject) -> Dataset:
    """Put pictures through a transform of torchvision.transforms.v2 after they were cropped, anew in every epoch.

    Name it in python.object, for example torchvision.transforms.v2:RandomRotation with {"degrees": 10}; the classes
    that hcpgraph trusts are in `hcpgraph trust list`. Geometric transforms move picture, mask and condition alike, mask
    and condition with the nearest pixel; others change the picture alone. What it draws depends on the sample key
    alone: the generators of torch, NumPy and Python are seeded for it and put back. A transform that changes the size
    is an error: sizes are the bucket's. The crop corner that SDXL is told stays
    that of the picture before: to mirror, take data.flip.

    Args:
        dataset: The pictures.
        transform: A class of torchvision.transforms.v2 with its arguments.

    Raises:
        GraphError: E_OBJECT (no such transform, or it refuses its arguments), E_DATA (the data set is of texts alone).
            The loader raises E_TRANSFORM where the transform fails or changes the size.
    """
    from torchvision.transforms import v2

    if not issubclass(transform.cls, v2.Transform):
        raise GraphError(
            "E_OBJECT",
            f"{transform.cls.__name__} is no transform of torchvision.transforms.v2",
            port="transform",
            hint="name one such as torchvision.transforms.v2:RandomRotation",
        )
    made = TorchvisionTransform(transform.cls, json.dumps(transform.args, sort_keys=True))
    _made(made)
    return transformed(dataset, made)
