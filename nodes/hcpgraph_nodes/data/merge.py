"""`data.merge`: several data sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, Many, node
from hcpgraph.widgets import Hint

from .sources.counts import spread
from .sources.dataset import Dataset, Sample

MOST_SAMPLES = 20_000_000


@node("data.merge")
def merge(
    ctx: Context,
    datasets: Many[Dataset],
    *,
    repeats: list[Annotated[int, Field(ge=0, le=10_000)]] = [],  # noqa: B006 - a default of the schema, never changed
    weights: list[Annotated[float, Field(gt=0, le=1e6)]] = [],  # noqa: B006
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """Put data sets one after the other.

    With `repeats`, the samples of data set i count rᵢ times an epoch. With `weights`, data set i makes up the share
    wᵢ / Σw of an epoch, whatever its size, as if its samples were drawn with that probability, but without chance: the
    epoch is the shortest in which every sample counts at least once and the shares hold. Of nᵢ samples (repeats
    included), kᵢ = round(N · wᵢ / Σw) count, where N = max(nⱼ · Σw / wⱼ), so that each counts ⌊kᵢ / nᵢ⌋ or
    ⌈kᵢ / nᵢ⌉ times; those that count once more are spread evenly over the data set. Which samples these are is the same
    in every epoch.

    Ids get the name of their data set in front, `cats/a.png`, so that two pictures of one name stay apart; data sets of
    one name are numbered, `cats`, `cats-2`. A single data set keeps its ids.

    Args:
        datasets: The data sets, in order.
        repeats: How many times the samples of each data set count; none for once each, 0 leaves a data set out.
        weights: The share of each data set, in any unit; none for as many as they have.
        name: Name of the result in sample keys; empty joins the names by `+`.

    Raises:
        GraphError: E_DATA (no data set is connected, texts alone among pictures, an epoch of more than 20,000,000
            samples), E_WEIGHTS_COUNT (not
            one number a data set).
    """
    if not datasets:
        raise GraphError("E_DATA", "no data set is connected", hint="connect one to datasets")
    if len({sample.source is None for dataset in datasets for sample in dataset.samples}) > 1:
        raise GraphError("E_DATA", "data sets of texts alone do not mix with pictures", hint="merge them apart")
    for setting, given in (("repeats", repeats), ("weights", weights)):
        if given and len(given) != len(datasets):
            raise GraphError(
                "E_WEIGHTS_COUNT",
                f"{len(given)} {setting} for {len(datasets)} data sets",
                port=setting,
                hint="write one a data set, or none",
            )
    parts: list[Sequence[Sample]] = list(_apart(datasets))
    sizes = [len(part) * times for part, times in zip(parts, repeats or [1] * len(parts), strict=True)]
    counts = _shares(sizes, weights) if weights else sizes
    if sum(counts) > MOST_SAMPLES:
        raise GraphError(
            "E_DATA", f"an epoch would have {sum(counts):,} samples", hint="take more even weights or fewer repeats"
        )
    samples: list[Sample] = []
    for part, size, count in zip(parts, sizes, counts, strict=True):
        repeated = [*part] * (size // len(part)) if part else []
        samples += spread(repeated, count) if repeated else []
    if repeats or weights:
        shares = zip((dataset.name for dataset in datasets), counts, strict=True)
        told = ", ".join(f"{part} {count} ({count / max(1, len(samples)):.1%})" for part, count in shares)
        ctx.log(f"{len(samples)} samples an epoch: {told}")
    return Dataset(name or "+".join(dataset.name for dataset in datasets), tuple(samples))


def _shares(sizes: Sequence[int], weights: Sequence[float]) -> list[int]:
    """Samples of each data set in the shortest epoch with these shares that leaves none out; in exact arithmetic."""
    exact = [Fraction(weight) if size else Fraction(0) for size, weight in zip(sizes, weights, strict=True)]
    total = sum(exact)
    if not total:
        return list(sizes)
    length = max(size * total / weight for size, weight in zip(sizes, exact, strict=True) if weight)
    return [round(length * weight / total) for weight in exact]


def _apart(datasets: Sequence[Dataset]) -> list[tuple[Sample, ...]]:
    """The samples of every data set under ids that no other has."""
    if len(datasets) == 1:
        return [datasets[0].samples]
    parts, taken = [], set[str]()
    for dataset in datasets:
        name, number = dataset.name, 1
        while name in taken:
            number += 1
            name = f"{dataset.name}-{number}"
        taken.add(name)
        parts.append(tuple(replace(sample, id=f"{name}/{sample.id}") for sample in dataset.samples))
    return parts
