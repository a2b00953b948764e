"""`value.at_step`: a number that changes at given steps."""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import node

Point = tuple[Annotated[int, Field(ge=0)], float]


@node("value.at_step", fold=True, title="Value at a step")
def at_step(
    step: int,
    *,
    points: Annotated[list[Point], Field(min_length=1)] = [(0, 1.0)],  # noqa: B006 - a default of the schema
    between: Literal["hold", "linear"] = "hold",
) -> float:
    """A number that changes at given steps, for settings that follow the training.

    Before the first point it has the value of the first, after the last point that of the last.

    Args:
        step: Where it is: `update` of a training loop, `step` of what runs now and then, `index` of a repeated region.
        points: Steps and the values from there on, such as [[0, 0.1], [500, 0.05]]; the steps rise.
        between: `hold` keeps the value of a point until the next one, `linear` goes to it in a straight line.
    """
    place = bisect_right(points, step, key=lambda point: point[0])
    if place in (0, len(points)):
        return points[max(place - 1, 0)][1]
    (begin, value), (end, following) = points[place - 1 : place + 1]
    return value if between == "hold" else value + (following - value) * ((step - begin) / (end - begin))
