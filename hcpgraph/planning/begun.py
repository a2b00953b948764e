"""Trainings that were begun: where their checkpoints lie, and which of them an upgrade or an edit has cut off.

Checkpoints of a loop lie in a folder named by its key, with a record of the code, versions and environment that they
were made with. Where a loop's key has none, but one of equal kin has, nobody but the user can say whether to go on.
Going on copies that checkpoint into a folder of its own, whose key is made of the loop's key and the checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..atomic import replacing, write_text
from ..checking.analyse import Analysis
from ..checkpoints import checkpoint, steps
from ..errors import GraphErrors, Problem
from ..fingerprint import Fingerprints, stamp
from ..paths import Roots
from .plan import Plan, make_plan

RECORD = "made-with.json"
SHOWN = 4
"""Differences that a message names."""


@dataclass(frozen=True)
class Record:
    """What the checkpoints of one folder were made with.

    Attributes:
        loop: Key of the loop; in other regions each of its passes has a folder of its own.
        loop_kin: The same without code, versions and environment.
        kin: Key of the folder without code, versions and environment.
        environment: Device type, precision and versions of what computes.
        packs: Pack -> version.
        code: File -> sha256 of it.
        instead: Key of the loop that it goes on for, from checkpoints of other code; empty if it began by itself.
        checkpoint: Digest of these checkpoints.
    """

    loop: str
    loop_kin: str
    kin: str
    environment: Mapping[str, str]
    packs: Mapping[str, str]
    code: Mapping[str, str]
    instead: str = ""
    checkpoint: str = ""


@dataclass(frozen=True)
class Begun:
    """A training that was begun.

    Attributes:
        folder: Its checkpoints.
        steps: Of the complete ones, ascending.
    """

    folder: Path
    record: Record
    steps: tuple[int, ...]

    def until(self, step: int | None) -> int:
        """Its latest checkpoint of at most that many steps (None: of any number), 0 if it has none."""
        return max((one for one in self.steps if step is None or one <= step), default=0)


def folder(key: str, roots: Roots) -> Path:
    """Where the checkpoints of a training lie."""
    return roots.root("cache") / "train" / key


def wanted(plan: Plan, id: str) -> int | None:
    """How many steps a loop does, as far as that is known."""
    steps = plan.analysis.settings[id].get("steps")
    return steps if isinstance(steps, int) else None


def kept(plan: Plan, id: str, key: str, kin: str, roots: Roots, at_most: int) -> Path:
    """The folder for the checkpoints of a loop that begins, with a record of what it is made with.

    Where the loop goes on from checkpoints of other code, it has a copy of the latest of its kin.

    Args:
        key, kin: Of this pass of the loop.
        at_most: Step beyond which none is gone on from.

    Raises:
        OSError: the disk does not take it.
    """
    place = folder(key, roots)
    if not (place / RECORD).exists():
        record = replace(_now(plan, id), kin=kin)
        if id in plan.continued:
            record = replace(record, instead=plan.began_as[id], checkpoint=plan.continued[id])
            others = [one for one in _all(roots) if one.record.kin == kin and one.until(at_most)]
            if others and not steps(place):
                _copy(_latest(others, at_most), at_most, place)
        _write(place, record)
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
    known = list(_all(roots)) if plan.loops() else []
    while going := _decided(plan, known, force):
        plan = plan.continuing(going)
    return plan


def questions(plan: Plan, roots: Roots, force: frozenset[str]) -> list[Problem]:
    """E_BEGUN for every loop of which nobody has said yet whether it goes on from checkpoints of other code."""
    return [_question(plan, id, found) for id, found in _cut_off(plan, list(_all(roots)), roots, force).items()]


def settled(plan: Plan, roots: Roots, *, resume: bool, force: frozenset[str]) -> Plan:
    """The plan once it is clear from where its loops go on.

    Args:
        resume: Whether they go on from checkpoints of other code.
        force: Loops that begin anew; `*` means all.

    Raises:
        GraphErrors: E_BEGUN, checkpoints of other code are there and nobody said what to do with them.
    """
    known = list(_all(roots)) if plan.loops() else []
    while found := _cut_off(plan, known, roots, force):
        if not resume:
            raise GraphErrors(questions(plan, roots, force))
        id, begun = next(iter(found.items()))
        plan = plan.continuing({id: _checkpoints(plan, id, begun)})
    return plan


def _decided(plan: Plan, known: Iterable[Begun], force: frozenset[str]) -> dict[str, str]:
    """Loops that go on from checkpoints of other code, as was once said -> digest of these."""
    own = {one.record.loop for one in known}
    said = {one.record.instead: one.record.checkpoint for one in known if one.record.instead}
    loops = {id: key for id, key in plan.loops().items() if not {"*", id} & force and id not in plan.continued}
    return {id: said[key] for id, key in loops.items() if key in said and key not in own}


def _cut_off(plan: Plan, known: Iterable[Begun], roots: Roots, force: frozenset[str]) -> dict[str, list[Begun]]:
    """Trainings that differ from a loop in code, versions and environment alone, where it has none of its own."""
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
    return max(found, key=lambda one: (one.until(at_most), one.folder.stat().st_mtime_ns))


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
    differences = list(_differences(one.record, _now(plan, id)))
    more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return Problem(
        "E_BEGUN",
        f"{one.until(_bound(plan, id))}{of} steps of this training were made with something else than what is here "
        f"now: {', '.join(differences[:SHOWN])}{more}",
        id,
        hint=f"go on from them with --resume, or begin anew with --force {id}",
    )


def _differences(then: Record, now: Record) -> Iterator[str]:
    for before, after in ((then.environment, now.environment), (then.packs, now.packs)):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"{name} {before.get(name, 'missing')} (now {after.get(name, 'missing')})"
    for name in sorted({*then.code, *now.code}):
        if then.code.get(name) != now.code.get(name):
            yield f"{name} ({'new' if name not in then.code else 'gone' if name not in now.code else 'edited'})"


def _now(plan: Plan, id: str) -> Record:
    analysis, keys = plan.analysis, plan.keys
    code: dict[str, str] = {}
    packs: dict[str, str] = {}
    for other in sorted(plan.stands_on(id)):
        spec = plan.node(other).spec
        assert spec is not None
        packs[spec.pack] = analysis.registry.version(spec.pack)
        code |= keys.code.parts(other)
    environment = dict(part.split("=", 1) for part in plan.environment.split(","))
    kin = keys.resumable_kin[id]
    return Record(keys.resumable[id], kin, kin, environment, packs, code)


def _write(place: Path, record: Record) -> None:
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / RECORD, json.dumps(asdict(record), indent=1) + "\n")


def _all(roots: Roots) -> Iterator[Begun]:
    """All trainings of a workspace with a record that can be read."""
    root = roots.root("cache") / "train"
    for place in root.iterdir() if root.is_dir() else ():
        try:
            record = _record(place / RECORD, stamp(place / RECORD))
        except (OSError, ValueError, TypeError):
            continue
        yield Begun(place, record, tuple(steps(place)))


@lru_cache(maxsize=4096)
def _record(path: Path, stamped: str) -> Record:
    return Record(**json.loads(path.read_bytes()))
