"""After a run in which something was not finite: the first node that made it, found by doing again what leads there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import Problem
from ..events import EventLog
from ..finite import all_finite

if TYPE_CHECKING:
    from .execute import Execution

HINT = "a learning rate or a guidance that is too high, fp16 where the model overflows, or wrong inputs of that node"


def not_finite(job: Execution) -> list[Problem]:
    """A warning for every node that wrote or reported what is not finite; the log tells where it began."""
    found = []
    for id, what in job.run.not_finite.items():
        message = f"not finite: {what}"
        if (first := first_not_finite(job, id)) is not None:
            message += f"; the first node that gave such values is '{first}'"
            job.run.events.emit("log", id, message=message, level="warning")
        found.append(Problem("W_NOT_FINITE", message, id, hint=HINT, severity="warning"))
    return found


def first_not_finite(job: Execution, id: str) -> str | None:
    """The first node above one of a finished run whose outputs are not finite.

    What is not in a cache is done again, which gives the same. None where doing it again would train or write, where
    the node stands in a region, or where everything above is finite.
    """
    from .execute import Execution

    plan = job.plan
    if id not in job.ran:
        return None
    above: set[str] = set()
    stack = [id]
    while stack:
        other = stack.pop()
        found = {*plan.waits_for(other), *plan.branches(other)} & {*job.ran, *job.cached} - above
        above |= found
        stack += found
    analysis = plan.analysis
    if any("write" in analysis.weights.effects[other] or plan.node(other).spec.mutates for other in above):  # type: ignore[union-attr]
        return None
    silent = replace(job.run, events=EventLog(job.run.id), artifacts=[], not_finite={})
    again = Execution(plan, silent, ram=job.ram, disk=job.disk, fingerprints=job.fingerprints)
    for other in plan.needed():
        if other in above:
            again.reach(other)
            if not all_finite(again.values.get(other)):
                return other
    return None
