"""`data.repeat`: every sample several times an epoch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Hint

from .sources.dataset import Dataset


@node("data.repeat")
def repeat(dataset: Dataset, *, times: Annotated[int, Field(ge=1, le=10_000), Hint(primary=True)] = 2) -> Dataset:
    """Let every sample count several times an epoch.

    The samples are put one after the other `times` times: nothing is read or kept twice, and random draws differ from
    one time to the next.

    Args:
        dataset: The samples.
        times: How many times each of them counts.
    """
    return Dataset(dataset.name, dataset.samples * times)
