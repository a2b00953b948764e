"""What the transform nodes share: hanging a transform on samples, numbers drawn for it, seeds of other libraries."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from hcpgraph.errors import GraphError
from hcpgraph.rng import stream_seed

from .dataset import Dataset
from .transform import Transform

DRAWS = 2**63
_alone = threading.Lock()


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


@contextmanager
def seeded(draw: int) -> Iterator[None]:
    """The global generators of torch, NumPy and Python start from a draw and are afterwards as they were.

    One thread at a time: the generators are those of all threads.
    """
    import torch

    with _alone, torch.random.fork_rng(devices=[]):
        python, legacy = random.getstate(), np.random.get_state()
        torch.default_generator.manual_seed(stream_seed(draw, "torch"))
        np.random.seed(stream_seed(draw, "numpy") % 2**32)
        random.seed(stream_seed(draw, "python"))
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(python)
