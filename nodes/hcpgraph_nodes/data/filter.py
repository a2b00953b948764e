"""`data.filter`: keep the samples that are worth training on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint

from .sources.dataset import Dataset, Sample
from .sources.patterns import matcher

Side = Annotated[int, Field(ge=0, le=2**20)]
Ratio = Annotated[float, Field(ge=0, le=1e4)]
Test = tuple[str, Callable[[Sample], bool]]


@node("data.filter")
def filter_samples(
    ctx: Context,
    dataset: Dataset,
    *,
    min_side: Side = 0,
    max_side: Side = 0,
    min_pixels: Annotated[int, Field(ge=0, le=2**40), Hint(advanced=True)] = 0,
    max_pixels: Annotated[int, Field(ge=0, le=2**40), Hint(advanced=True)] = 0,
    min_ratio: Ratio = 0.0,
    max_ratio: Ratio = 0.0,
    include: list[str] = [],  # noqa: B006 - a default of the schema, never changed
    exclude: list[str] = [],  # noqa: B006
    include_ids: list[str] = [],  # noqa: B006
    exclude_ids: list[str] = [],  # noqa: B006
) -> Dataset:
    """Keep the samples that fit; the log says how many were left out and why.

    A text in the four lists is looked for anywhere, in any case; `re:` starts a regular expression. Nothing is decoded.

    Args:
        dataset: The samples.
        min_side: Leave out pictures whose shorter side has fewer pixels; 0 for no limit.
        max_side: Leave out pictures whose longer side has more pixels; 0 for no limit.
        min_pixels: Leave out pictures of fewer pixels in all (width times height); 0 for no limit.
        max_pixels: Leave out pictures of more pixels in all; 0 for no limit.
        min_ratio: Leave out pictures whose width / height is smaller; 0 for no limit.
        max_ratio: Leave out pictures whose width / height is larger; 0 for no limit.
        include: Keep captions that contain one of these; empty keeps all.
        exclude: Leave out captions that contain one of these.
        include_ids: Keep samples whose id, such as `sub/cat.png`, contains one of these; empty keeps all.
        exclude_ids: Leave out samples whose id contains one of these.

    Raises:
        GraphError: E_DATA (nothing is left, sizes of a data set of texts), E_PATTERN.
    """
    tests: list[Test] = []
    if min_side:
        tests.append((f"a side below {min_side}", lambda s: min(_size(s)) >= min_side))
    if max_side:
        tests.append((f"a side above {max_side}", lambda s: max(_size(s)) <= max_side))
    if min_pixels:
        tests.append((f"fewer than {min_pixels} pixels", lambda s: _size(s)[0] * _size(s)[1] >= min_pixels))
    if max_pixels:
        tests.append((f"more than {max_pixels} pixels", lambda s: _size(s)[0] * _size(s)[1] <= max_pixels))
    if min_ratio:
        tests.append((f"a ratio below {min_ratio:g}", lambda s: _size(s)[0] >= min_ratio * _size(s)[1]))
    if max_ratio:
        tests.append((f"a ratio above {max_ratio:g}", lambda s: _size(s)[0] <= max_ratio * _size(s)[1]))
    if tests and any(sample.source is None for sample in dataset.samples):
        raise GraphError(
            "E_DATA", f"'{dataset.name}' is of texts alone, which have no size", hint="filter it by captions or ids"
        )
    tests += _named("caption", lambda s: s.caption, include, exclude)
    tests += _named("id", lambda s: s.id, include_ids, exclude_ids)

    kept: list[Sample] = []
    why: Counter[str] = Counter()
    for sample in dataset.samples:
        ctx.check()
        reason = next((name for name, fits in tests if not fits(sample)), None)
        if reason is None:
            kept.append(sample)
        else:
            why[reason] += 1
    reasons = f": {', '.join(f'{reason} {count}' for reason, count in why.items())}" if why else ""
    if not kept:
        raise GraphError(
            "E_DATA", f"no sample of '{dataset.name}' is left{reasons}", hint="take wider limits or other texts"
        )
    ctx.log(f"{len(kept)} of {len(dataset)} samples are left{reasons}")
    return Dataset(dataset.name, tuple(kept))


def _named(what: str, text: Callable[[Sample], str], include: list[str], exclude: list[str]) -> list[Test]:
    wanted, unwanted = matcher(include), matcher(exclude)
    tests: list[Test] = []
    if include:
        tests.append((f"{what} not included", lambda s: wanted(text(s))))
    if exclude:
        tests.append((f"{what} excluded", lambda s: not unwanted(text(s))))
    return tests


def _size(sample: Sample) -> tuple[int, int]:
    assert sample.source is not None
    return sample.source.size
