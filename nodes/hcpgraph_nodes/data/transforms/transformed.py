"""What the transform nodes share: hanging a transform on samples, and numbers drawn for it."""

from __future__ import annotations

from dataclasses import replace

from hcpgraph.errors import GraphError
from hcpgraph.rng import stream_seed

from ..sources.dataset import Dataset
from .transform import Transform

DRAWS = 2**63


def transformed(dataset: Dataset, transform: Transform) -> Dataset:
    """The data set with one more transform at the end of every sample's chain.

    Raises:
        GraphError: E_DATA, it is of texts alone.
    """
    if len(dataset) and not dataset.pictures:
        raise GraphError(
            "E_DATA",
            f"the data set '{dataset.name}' is of texts alone and has no pictures to change",
            port="dataset",
            hint="put this node after a data set of pictures",
        )
    samples = tuple(replace(sample, transforms=(*sample.transforms, transform)) for sample in dataset.samples)
    return Dataset(dataset.name, samples)


def uniform(draw: int, name: str) -> float:
    """A number in [0, 1) that a draw holds under a name."""
    return stream_seed(draw, name) / DRAWS
