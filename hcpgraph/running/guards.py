"""Which ops of a region run only in some passes: those that lead to a branch which a switch takes now and then.

A switch whose condition is known before the run has one branch. Where a pass decides, both are in the body, and what
only a branch needs that is not taken is left out of the pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..declaring.spec import Choose

Branch = tuple[str, str]
"""A switch, and one of its lazy ports."""
Needs = dict[str, frozenset[Branch] | None]
"""Op -> the branches of which one at least must be taken for it to run; None: it always runs."""
PLAIN = (bool, str, int, float)


@dataclass(slots=True)
class Taken:
    """Whether a branch is taken in a pass, which is found out once and kept in a slot.

    Attributes:
        slot: Where it is kept.
        condition: Slot of the value that decides.
        switch: What must hold for the switch itself to run; None: it always does.
    """

    slot: int
    condition: int
    choose: Choose
    port: str
    switch: Guard | None

    def __call__(self, slots: list[Any]) -> bool:
        known: bool | None = slots[self.slot]
        if known is None:
            value = slots[self.condition]
            known = type(value) in PLAIN and self.port in self.choose.ports(value)
            slots[self.slot] = known = known and (self.switch is None or self.switch(slots))
        return known


@dataclass(slots=True)
class Guard:
    """Whether an op runs in a pass: one of some branches is taken."""

    branches: tuple[Taken, ...]

    def __call__(self, slots: list[Any]) -> bool:
        return any(branch(slots) for branch in self.branches)

    def conditions(self) -> set[int]:
        """The slots that it reads."""
        found = set()
        for branch in self.branches:
            found |= {branch.condition} | (branch.switch.conditions() if branch.switch is not None else set())
        return found


def needs(ids: Iterable[str], readers: Mapping[str, Iterable[tuple[str, str | None]]], always: Iterable[str]) -> Needs:
    """What must hold for each op to be needed.

    Args:
        ids: Ops, every one behind what it reads.
        readers: Op -> the ops that read it, each with the lazy port of a switch that it reads it at, or None.
        always: Ops that are needed in every pass.
    """
    found: Needs = dict.fromkeys(always)
    for id in reversed(list(ids)):
        if id in found:
            continue
        branches: set[Branch] = set()
        for reader, port in readers.get(id, ()):
            if port is not None:
                branches.add((reader, port))
            elif (needed := found[reader]) is None:
                found[id] = None
                break
            else:
                branches |= needed
        else:
            found[id] = frozenset(branches)
    return {id: _shortest(needed, found) for id, needed in found.items()}


def _shortest(needed: frozenset[Branch] | None, found: Needs) -> frozenset[Branch] | None:
    """Without branches of switches that run only where one of the others is taken: that one says it already."""
    if needed is None:
        return None
    return frozenset(one for one in needed if (around := found[one[0]]) is None or not around <= needed - {one})


def ordered(
    ids: list[str],
    reads: Mapping[str, Mapping[str, bool]],
    needed: Needs,
    deciding: Mapping[str, str],
) -> list[str]:
    """The ops such that whatever decides about one stands before it; where that cannot be, the op always runs.

    Args:
        ids: Ops, every one behind what it reads.
        reads: Op -> the ops that it reads, and whether only if it takes a branch.
        needed: Changed for ops that cannot wait for what decides about them, and what they stand on.
        deciding: Switch -> the op that gives its condition.
    """
    left, done, seen = list(ids), list[str](), set[str]()
    while left:
        waiting = []
        for id in left:
            if reads[id].keys() <= seen and _deciding(needed[id], needed, deciding) <= seen:
                done.append(id)
                seen.add(id)
            else:
                waiting.append(id)
        if len(waiting) == len(left):
            stack = [next(id for id in waiting if reads[id].keys() <= seen)]
            while stack:
                needed[id := stack.pop()] = None
                stack += [other for other, lazily in reads[id].items() if not lazily and needed[other] is not None]
        left = waiting
    return done


def _deciding(branches: frozenset[Branch] | None, needed: Needs, deciding: Mapping[str, str]) -> set[str]:
    """The ops whose values decide whether one of some branches is taken."""
    found: set[str] = set()
    stack, seen = list(branches or ()), set[Branch]()
    while stack:
        switch, port = stack.pop()
        if (switch, port) not in seen:
            seen.add((switch, port))
            found |= {deciding[switch]} if switch in deciding else set()
            stack += needed[switch] or ()
    return found
