"""Why a training begins anew although one like it was trained before: what prevents going on, with both values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..checkpoints import steps
from ..errors import Problem
from ..paths import Roots
from .plan import Plan
from .records import Begun, Record, begun, differences, folder, present

SHOWN = 6
"""Differences that are named."""
LONGEST = 48
"""Letters of a value that are shown."""


def prevented(plan: Plan, known: Iterable[Begun], roots: Roots, force: frozenset[str]) -> list[Problem]:
    """E_ANEW for every loop that is to go on, has nothing to go on from, and was trained as another training before."""
    found = []
    known = list(known)
    for id, key in plan.loops().items():
        if {"*", id} & force or id in plan.continued or plan.analysis.flat.chain(id) or steps(folder(key, roots)):
            continue
        if (why := _differs(plan, id, known)) is not None:
            hint = f"undo the difference to go on, or begin anew with --force {id}"
            found.append(Problem("E_ANEW", f"there is nothing to go on from: {why}", id, hint=hint))
    return found


def why(plan: Plan, id: str, key: str, roots: Roots, at_most: int) -> str | None:
    """Why a loop at the top begins at step 0 although it, or one like it, was trained before; None if nothing was.

    Args:
        key: Of the loop.
        at_most: How many steps are wanted.
    """
    done = steps(folder(key, roots))
    if plan.analysis.flat.chain(id) or id in plan.continued or any(step <= at_most for step in done):
        return None
    if done:
        none = f"none of its checkpoints has {at_most} or less"
        return f"begins anew: {max(done)} steps of this training are done, and {none}"
    found = _differs(plan, id, begun(roots))
    return None if found is None else f"begins anew: {found}"


def _differs(plan: Plan, id: str, known: Iterable[Begun]) -> str | None:
    """What the latest training of this loop in a graph of this title differs in."""
    title = plan.analysis.graph.meta.title or ""
    like = [one for one in known if one.steps and one.record.node == id and one.record.title == title]
    if not like:
        return None
    latest = max(like, key=lambda one: one.changed)
    now = present(plan, id)
    told = list(dict.fromkeys([*_changes(latest.record, now), *differences(plan, latest.record, now)]))
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    what = ", ".join(told[:SHOWN]) or "the wires"
    return f"what was trained last, {max(latest.steps)} steps, differs in {what}{more}"


def _changes(then: Record, now: Record) -> Iterator[str]:
    for id in sorted({*then.settings, *now.settings}):
        before, after = then.settings.get(id), now.settings.get(id)
        if before is None or after is None:
            yield f"node {id} ({'new' if before is None else 'gone'})"
            continue
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"{id}.{name} {_shown(before, name)} (now {_shown(after, name)})"
    for uri in sorted({*then.files, *now.files}):
        if then.files.get(uri) != now.files.get(uri):
            yield f"{uri} ({'new' if uri not in then.files else 'gone' if uri not in now.files else 'other content'})"


def _shown(settings: Any, name: str) -> str:
    if name not in settings:
        return "default"
    text = json.dumps(settings[name], ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
