"""`data.split`: samples kept apart for validation."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, NamedTuple

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Seed, Slider

from .sources.dataset import Dataset


class Split(NamedTuple):
    train: Dataset
    validation: Dataset


@node("data.split")
def split(
    ctx: Context,
    dataset: Dataset,
    *,
    share: Annotated[float, Field(gt=0, lt=1), Slider(step=0.01, primary=True)] = 0.1,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0,
) -> Split:
    """Keep a share of the samples apart for validation.

    Which side a sample is on follows from a hash of its id and the seed: it stays there when others are added, taken
    away or sorted anew, and a sample that counts several times is on one side with all of them. The share holds on
    average: n samples give n · share ± √(n · share · (1 − share)). The two have names of their own, so that their
    random draws differ.

    Args:
        dataset: The samples.
        share: Which part of them is for validation.
        seed: Another seed makes another choice.

    Returns:
        train: The samples to train on, as NAME-train.
        validation: The samples kept apart, as NAME-validation.

    Raises:
        GraphError: E_DATA, one of the two is empty.
    """
    chosen = {sample.id: _fraction(sample.id, seed) < share for sample in dataset.samples}
    train = tuple(sample for sample in dataset.samples if not chosen[sample.id])
    validation = tuple(sample for sample in dataset.samples if chosen[sample.id])
    if not train or not validation:
        raise GraphError(
            "E_DATA",
            f"all {len(dataset)} samples of '{dataset.name}' are for {'training' if train else 'validation'}",
            hint="take another share or seed, or more samples",
        )
    ctx.log(f"{len(train)} samples for training, {len(validation)} for validation")
    return Split(Dataset(f"{dataset.name}-train", train), Dataset(f"{dataset.name}-validation", validation))


def _fraction(id: str, seed: int) -> float:
    """A number in [0, 1) that depends on the id and the seed alone."""
    return int.from_bytes(sha256(f"{seed}\0{id}".encode()).digest()[:6], "big") / 2**48
