"""`data.merge`: several data sets as one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, Many, node
from hcpgraph.widgets import Hint

from .dataset import Dataset


@node("data.merge")
def merge(datasets: Many[Dataset], *, name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "") -> Dataset:
    """Put data sets one after the other.

    Args:
        datasets: The data sets, in order.
        name: Name of the result in sample keys; empty joins the names by `+`.

    Raises:
        GraphError: E_DATA, no data set is connected.
    """
    if not datasets:
        raise GraphError("E_DATA", "no data set is connected", hint="connect one to datasets")
    samples = tuple(sample for dataset in datasets for sample in dataset.samples)
    return Dataset(name or "+".join(dataset.name for dataset in datasets), samples)
