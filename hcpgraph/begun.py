"""Trainings that were begun: where their checkpoints lie, and which of them an upgrade or an edit has cut off.

Checkpoints of a loop lie in a folder named by its key, with a record of the code, versions and environment that they
were made with. Where a loop's key has none, but one of equal kin has, nobody but the user can say whether to go on.
Going on copies that checkpoint into a folder of its own, whose key is made of the loop's key and the checkpoint.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from .analyse import Analysis
from .atomic import write_text
from .errors import GraphErrors, Problem
from .fingerprint import Fingerprints, stamp
from .paths import Roots
from .planning import Plan, make_plan

STEP = re.compile(r"step-(\d{8})")
RECORD = "made-with.json"
SHOWN = 4
"""Differences that a message names."""


@dataclass(frozen=True)
class Record:
    """What the checkpoints of one folder were made with.

    Attributes:
        kin: Key without code, versions and environment.
        environment: Device type, precision and versions of what computes.
        packs: Pack -> version.
        code: File -> sha256 of it.
        instead: Key that it goes on for, from a checkpoint of other code; empty for one that began by itself.
        checkpoint: Digest of that checkpoint.
    """

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
    steps: tuple[int, ...] = field(default=())


def folder(key: str, roots: Roots) -> Path:
    """Where the checkpoints of a training lie."""
    return roots.root("cache") / "train" / key


def steps(place: Path) -> list[int]:
    """Steps of all complete checkpoints in a folder, ascending."""
    if not place.is_dir():
        return []
    found = (STEP.fullmatch(path.name) for path in place.iterdir())
    return sorted(int(match[1]) for match in found if match)


def fitting(plan: Plan, id: str, found: list[int]) -> int | None:
    """The latest of some steps that a loop would go on from."""
    wanted = plan.analysis.settings[id].get("steps")
    return max((step for step in found if not isinstance(wanted, int) or step <= wanted), default=None)


def note(plan: Plan, id: str, roots: Roots) -> None:
    """Record what a loop is made with, before it begins.

    Raises:
        OSError: the disk does not take it.
    """
    place = folder(plan.keys.resumable[id], roots)
    if not (place / RECORD).exists():
        _write(place, _now(plan, id))


def planned(analysis: Analysis, roots: Roots, **options: Any) -> Plan:
    """The plan of a graph whose loops go on from checkpoints of other code where that was once said.

    Args:
        options: Those of `make_plan`.

    Raises:
        GraphErrors: E_TARGET.
    """
    plan = make_plan(analysis, roots, **options)
    while going := _decided(plan, roots):
        plan = plan.continuing(going)
    return plan


def _decided(plan: Plan, roots: Roots) -> dict[str, str]:
    """Loops that go on from a checkpoint of other code, as was once said -> digest of that checkpoint."""
    loops = {id: key for id, key in _loops(plan).items() if not folder(key, roots).is_dir()}
    known = {one.record.instead: one.record.checkpoint for one in _all(roots)} if loops else {}
    return {id: known[key] for id, key in loops.items() if key in known}


def questions(plan: Plan, roots: Roots, force: frozenset[str]) -> list[Problem]:
    """E_BEGUN for every loop of which nobody has said yet whether it goes on from checkpoints of other code."""
    return [_question(plan, id, one) for id, one in _cut_off_all(plan, roots, force).items()]


def settled(plan: Plan, roots: Roots, *, resume: bool, force: frozenset[str]) -> Plan:
    """The plan once it is clear from where its loops go on.

    Args:
        resume: Whether they go on from checkpoints of other code.
        force: Loops that begin anew; `*` means all.

    Raises:
        GraphErrors: E_BEGUN, checkpoints of other code are there and nobody said what to do with them.
    """
    while found := _cut_off_all(plan, roots, force):
        if not resume:
            raise GraphErrors(questions(plan, roots, force))
        id, one = next(iter(found.items()))
        plan = _go_on(plan, id, one, roots)
    return plan


def _loops(plan: Plan) -> dict[str, str]:
    """Loops at the top that keep checkpoints -> key; those whose key is known."""
    needed = [id for id in plan.needed() if id in plan.keys.resumable]
    return {id: plan.keys.resumable[id] for id in needed}


def _cut_off_all(plan: Plan, roots: Roots, force: frozenset[str]) -> dict[str, Begun]:
    return {id: one for id in _loops(plan) if (one := _cut_off(plan, id, roots, force)) is not None}


def _cut_off(plan: Plan, id: str, roots: Roots, force: frozenset[str]) -> Begun | None:
    """The training with most steps that differs from a loop in code, versions and environment alone."""
    if {"*", id} & force or folder(plan.keys.resumable[id], roots).is_dir():
        return None
    kin = plan.keys.kin[id]
    found = [one for one in _all(roots) if one.record.kin == kin and fitting(plan, id, list(one.steps)) is not None]
    return max(found, key=lambda one: (fitting(plan, id, list(one.steps)), one.folder.stat().st_mtime_ns), default=None)


def _go_on(plan: Plan, id: str, one: Begun, roots: Roots) -> Plan:
    step = fitting(plan, id, list(one.steps))
    source = one.folder / f"step-{step:08d}"
    digest = Fingerprints().of(source)
    assert digest is not None
    mine = plan.keys.resumable[id]
    plan = plan.continuing({id: digest})
    place = folder(plan.keys.resumable[id], roots)
    temporary = place / f".{source.name}.{os.getpid()}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, temporary, copy_function=_link)
        os.replace(temporary, place / source.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _write(place, Record(**{**asdict(_now(plan, id)), "instead": mine, "checkpoint": digest}))
    return plan


def _link(source: str, target: str) -> str:
    """A checkpoint is never changed, so that a second name for its files is enough where the disk has them."""
    try:
        os.link(source, target)
    except OSError:
        return shutil.copy2(source, target)
    return target


def _question(plan: Plan, id: str, one: Begun) -> Problem:
    wanted = plan.analysis.settings[id].get("steps")
    of = f" of {wanted}" if isinstance(wanted, int) else ""
    differences = list(_differences(one.record, _now(plan, id)))
    more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return Problem(
        "E_BEGUN",
        f"{fitting(plan, id, list(one.steps))}{of} steps of this training were made with something else than what is "
        f"here now: {', '.join(differences[:SHOWN])}{more}",
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
    analysis = plan.analysis
    code: dict[str, str] = {}
    packs: dict[str, str] = {}
    for other in sorted(plan.stands_on(id)):
        spec = plan.node(other).spec
        assert spec is not None
        packs[spec.pack] = analysis.registry.version(spec.pack)
        code |= plan.keys.code.parts(other)
    environment = dict(part.split("=", 1) for part in plan.environment.split(","))
    return Record(plan.keys.kin[id], environment, packs, code)


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
