"""When an objective is due: every so many steps, from one step until another; without torch, for rules and lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Due:
    """The steps start, start + every, start + 2 · every … below stop; a step is the number of those done before it."""

    every: int = 1
    start: int = 0
    stop: int | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Due | None:
        """As settings of `train.objective` say; None if they are not known."""
        every, start, stop = (settings.get(name) for name in ("every", "start", "stop"))
        if type(every) is not int or type(start) is not int or "stop" not in settings:
            return None
        return cls(every, start, stop)

    def at(self, step: int) -> bool:
        """Whether it is due in a step."""
        return self.start <= step and (self.stop is None or step < self.stop) and (step - self.start) % self.every == 0

    def before(self, end: int) -> int:
        """In how many of the steps before `end` it is due."""
        end = end if self.stop is None else min(end, self.stop)
        return max(0, -(-(end - self.start) // self.every))


ALWAYS = Due()


def count(dues: Sequence[Due], end: int) -> int:
    """In how many of the steps before `end` one of them is due."""
    if ALWAYS in dues:
        return end
    if len(set(dues)) == 1:
        return dues[0].before(end)
    return sum(any(due.at(step) for due in dues) for step in range(end))


def idle(dues: Sequence[Due], end: int) -> int | None:
    """The first of the steps before `end` in which none is due."""
    if ALWAYS in dues:
        return None
    return next((step for step in range(end) if not any(due.at(step) for due in dues)), None)
