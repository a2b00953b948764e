"""`data.albumentations`: transforms of albumentations on picture, mask and condition."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from hcpgraph import GraphError, Many, node
from hcpgraph.generators import seeded
from hcpgraph.widgets import Slider

from ..python.object import PythonObject
from .sources.dataset import Dataset
from .sources.tables import need
from .transforms.transform import Transform, Views
from .transforms.transformed import transformed

Choose = Literal["all", "one"]


@dataclass(frozen=True, slots=True)
class AlbumentationsTransform(Transform):
    """Classes of albumentations with their arguments as JSON, of which each process makes its own pipeline."""

    steps: tuple[tuple[type[Any], str], ...]
    choose: Choose
    probability: float

    def apply(self, views: Views, draw: int) -> Views:
        given: dict[str, Any] = {"image": np.ascontiguousarray(views.picture)}
        if views.mask is not None:
            given["mask"] = np.ascontiguousarray(views.mask)
        if views.condition is not None:
            given["condition"] = np.ascontiguousarray(views.condition)
        try:
            with seeded(draw):
                pipeline = _made(self)
                pipeline.set_random_seed(draw % 2**32)
                got = pipeline(**given)
        except GraphError:
            raise
        except Exception as error:
            names = ", ".join(cls.__name__ for cls, _ in self.steps)
            raise GraphError(
                "E_TRANSFORM",
                f"{names} fails on a uint8 picture {views.picture.shape}: {type(error).__name__}: {error}",
                hint="take transforms that need the picture alone, or other arguments",
            ) from error
        return replace(views, picture=got["image"], mask=got.get("mask"), condition=got.get("condition"))

    @property
    def identity(self) -> str:
        steps = [(f"{cls.__module__}.{cls.__qualname__}", args) for cls, args in self.steps]
        return f"albumentations {library().__version__} {steps} {self.choose} {self.probability}"


def library() -> Any:
    """albumentations, without the request to the package index that it makes when it is imported.

    Raises:
        GraphError: E_PACKAGE, the extra is not installed.
    """
    need("albumentations", "albumentations")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations


@lru_cache(maxsize=64)
def _made(transform: AlbumentationsTransform) -> Any:
    known = library()
    steps = [PythonObject(cls, json.loads(args)).make() for cls, args in transform.steps]
    inner = known.OneOf(steps, p=1.0) if transform.choose == "one" else known.Sequential(steps, p=1.0)
    return known.Compose([inner], p=transform.probability, additional_targets={"condition": "mask"})


@node("data.albumentations", packages=("albumentations",))
def albumentations_transform(
    dataset: Dataset,
    transforms: Many[PythonObject],
    *,
    choose: Choose = "all",
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
) -> Dataset:
    """Put pictures through transforms of albumentations after they were cropped, anew in every epoch.

    It comes with `hcpgraph[albumentations]`, version 2.0, the last under the MIT licence. Name each transform in
    python.object, for example albumentations:Rotate with {"limit": 10}; none of them is trusted until you say so with
    `hcpgraph trust add albumentations:Rotate`. Geometric transforms move picture, mask and condition alike; others
    change the picture alone. What they draw depends on the sample key alone. A transform that changes the size is an
    error: sizes are the bucket's. The crop corner that SDXL is told stays
    that of the picture before: to mirror, take data.flip.

    Args:
        dataset: The pictures.
        transforms: Classes of albumentations with their arguments, in order; the argument `p` is the probability of
            each.
        choose: Whether a picture goes through `all` of them, or through `one`, drawn with their `p` as weights.
        probability: Probability that a picture is changed.

    Raises:
        GraphError: E_PACKAGE (the extra is not installed), E_OBJECT (no such transform, or it refuses its arguments),
            E_DATA (nothing is connected; the data set is of texts alone). The loader raises E_TRANSFORM where a
            transform fails or changes the size.
    """
    known = library()
    if not transforms:
        raise GraphError("E_DATA", "no transform is connected", port="transforms", hint="connect a python.object")
    wrong = [one.cls.__name__ for one in transforms if not issubclass(one.cls, known.BasicTransform)]
    if wrong:
        raise GraphError(
            "E_OBJECT",
            f"no transforms of albumentations: {', '.join(wrong)}",
            port="transforms",
            hint="name one such as albumentations:Rotate",
        )
    steps = tuple((one.cls, json.dumps(one.args, sort_keys=True)) for one in transforms)
    made = AlbumentationsTransform(steps, choose, float(probability))
    _made(made)
    return transformed(dataset, made)
