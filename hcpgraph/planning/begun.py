"""Trainings that were begun, and which of them an upgrade, an edit or another length cuts off.

Checkpoints of a loop lie in a folder named by its key, with a record of the code, versions and environment that they
were made with. Where a loop's key has none, but one of equal kin has, nobody but the user can say whether to go on:
kin are trainings that differ in code, versions, environment and the lengths of their curves.
Going on copies that checkpoint into a folder of its own, whose key is made of the loop's key and the checkpoint.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..atomic import replacing
from ..checking.analyse import Analysis
from ..checkpoints import checkpoint, steps
from ..errors import GraphErrors, Problem
from ..fingerprint import Fingerprints
from ..paths import Roots
from .anew import prevented, why
from .plan import Plan, make_plan
from .records import RECORD, Begun, begun, differences, folder, present, write

SHOWN = 4
"""Differences that a message names."""


def wanted(plan: Plan, id: str) -> int | None:
    """How many steps a loop does, as far as that is known."""
    steps = plan.analysis.settings[id].get("steps")
    return steps if isinstance(steps, int) else None


def kept(plan: Plan, id: str, key: str, kin: str, roots: Roots, at_most: int, tell: Callable[[str], None]) -> Path:
    """The folder for the checkpoints of a loop that begins, with a record of what it is made with.

    Where the loop goes on from checkpoints of other code, it has a copy of the latest of its kin.

    Args:
        key, kin: Of this pass of the loop.
        at_most: Step beyond which none is gone on from.
        tell: Hears why it begins anew although it, or one like it, was trained before.

    Raises:
        OSError: the disk does not take it.
    """
    if reason := why(plan, id, key, roots, at_most):
        tell(reason)
    place = folder(key, roots)
    if not (place / RECORD).exists():
        record = replace(present(plan, id), kin=kin)
        if id in plan.continued:
            record = replace(record, instead=plan.began_as[id], checkpoint=plan.continued[id])
            others = [one for one in begun(roots) if one.record.kin == kin and one.until(at_most)]
            if others and not steps(place):
                _copy(_latest(others, at_most), at_most, place)
        write(place, record)
    return place


def planned(analysis: Analysis, roots: Roots, *, force: frozenset[str] = frozenset(), **options: Any) -> Plan:
    """The plan of a graph whose loops go on from checkpoints of other code where that was once said.

    Args:
        force: Loops that begin anew, whatever was said; `*` means all.
        options: Those of `make_plan`.

    Raises:
        GraphErrors: E_TARGET.
    """
    plan = make_plan(analysis, roots, **options)
    known = list(begun(roots)) if plan.loops() else []
    while going := _decided(plan, known, force):
        plan = plan.continuing(going)
    return plan


def questions(plan: Plan, roots: Roots, force: frozenset[str]) -> list[Problem]:
    """E_BEGUN for every loop of which nobody has said yet whether it goes on from checkpoints of other code."""
    return [_question(plan, id, found) for id, found in _cut_off(plan, list(begun(roots)), roots, force).items()]


def settled(plan: Plan, roots: Roots, *, resume: bool, force: frozenset[str]) -> Plan:
    """The plan once it is clear from where its loops go on.

    Args:
        resume: Whether they go on from checkpoints of other code.
        force: Loops that begin anew; `*` means all.

    Raises:
        GraphErrors: E_BEGUN, checkpoints of other code are there and nobody said what to do with them; E_ANEW, they
            are to go on, and what was trained last was another training.
    """
    known = list(begun(roots)) if plan.loops() else []
    while found := _cut_off(plan, known, roots, force):
        if not resume:
            raise GraphErrors(questions(plan, roots, force))
        id, fitting = next(iter(found.items()))
        plan = plan.continuing({id: _checkpoints(plan, id, fitting)})
    if resume and (problems := prevented(plan, known, roots, force)):
        raise GraphErrors(problems)
    return plan


def _decided(plan: Plan, known: Iterable[Begun], force: frozenset[str]) -> dict[str, str]:
    """Loops that go on from checkpoints of other code, as was once said -> digest of these."""
    own = {one.record.loop for one in known}
    said = {one.record.instead: one.record.checkpoint for one in known if one.record.instead}
    loops = {id: key for id, key in plan.loops().items() if not {"*", id} & force and id not in plan.continued}
    return {id: said[key] for id, key in loops.items() if key in said and key not in own}


def _cut_off(plan: Plan, known: Iterable[Begun], roots: Roots, force: frozenset[str]) -> dict[str, list[Begun]]:
    """Trainings that differ from a loop in what kin may differ in, where it has none of its own."""
    found: dict[str, list[Begun]] = {}
    for id, key in plan.loops().items():
        place = folder(key, roots)
        if {"*", id} & force or id in plan.continued or steps(place) or (place / RECORD).exists():
            continue
        kin = [one for one in known if one.record.loop_kin == plan.keys.resumable_kin[id]]
        if any(one.record.loop == key for one in kin):
            continue
        if fitting := [one for one in kin if one.until(_bound(plan, id))]:
            found[id] = fitting
    return found


def _bound(plan: Plan, id: str) -> int | None:
    """The steps beyond which a checkpoint is of no use; inside of regions later passes have more."""
    return None if plan.analysis.flat.chain(id) else wanted(plan, id)


def _latest(found: Iterable[Begun], at_most: int | None) -> Begun:
    return max(found, key=lambda one: (one.until(at_most), one.changed))


def _checkpoints(plan: Plan, id: str, found: list[Begun]) -> str:
    """Digest of what a loop goes on from: of one checkpoint, or of those of all its passes."""
    bound = _bound(plan, id)
    chosen = found if plan.analysis.flat.chain(id) else [_latest(found, bound)]
    prints = (Fingerprints().of(checkpoint(one.folder, one.until(bound))) for one in chosen)
    return sha256("".join(sorted(map(str, prints))).encode()).hexdigest()


def _copy(one: Begun, at_most: int, place: Path) -> None:
    """Put a checkpoint into another folder, whole or not at all."""
    source = checkpoint(one.folder, one.until(at_most))
    place.mkdir(parents=True, exist_ok=True)
    with replacing(place / source.name, keep=True) as fresh:
        shutil.copytree(source, fresh, copy_function=_link)


def _link(source: str, target: str) -> str:
    """A checkpoint is never changed, so that a second name for its files is enough where the disk has them."""
    try:
        os.link(source, target)
    except OSError:
        return shutil.copy2(source, target)
    return target


def _question(plan: Plan, id: str, found: list[Begun]) -> Problem:
    one = _latest(found, _bound(plan, id))
    bound = wanted(plan, id)
    of = "" if bound is None or _bound(plan, id) is None else f" of {bound}"
    told = list(differences(plan, one.record, present(plan, id)))
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return Problem(
        "E_BEGUN",
        f"{one.until(_bound(plan, id))}{of} steps of this training were made with something else than what is here "
        f"now: {', '.join(told[:SHOWN])}{more}",
        id,
        hint=f"go on from them with --resume, or begin anew with --force {id}",
    )
