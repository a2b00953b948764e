"""The testing mode inside of regions: no op moves a global generator that is not declared to draw from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..generators import unmoved
from .region import BoundBody


def watch(body: BoundBody, slots: list[Any], ops: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The ops of a pass; none moves a global generator but those that are random and those that may draw in a step."""
    effects = body.regions.plan.analysis.weights.effects
    for op in ops:
        id = body.layout_of(op).id
        if "random" in effects[id] or body.draws(id):
            yield op
            continue
        with unmoved(id):
            yield op
