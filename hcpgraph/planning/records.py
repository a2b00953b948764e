"""Records of trainings that were begun: what lies beside their checkpoints, and what differs from now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..checking.lengths import Length
from ..checkpoints import steps
from ..fingerprint import stamp
from ..paths import Roots
from .cache_keys import open_length
from .plan import Plan

RECORD = "made-with.json"


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
        lengths: Setting -> how long a curve is that the training follows.
        node: The loop.
        title: Of its graph.
        settings: Node -> its type and its settings that are not at their defaults, of all that the loop stands on.
        files: What is read -> sha256.
    """

    loop: str
    loop_kin: str
    kin: str
    environment: Mapping[str, str]
    packs: Mapping[str, str]
    code: Mapping[str, str]
    instead: str = ""
    checkpoint: str = ""
    lengths: Mapping[str, Any] = field(default_factory=dict)
    node: str = ""
    title: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


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

    @property
    def changed(self) -> int:
        """When its folder was last changed, in nanoseconds."""
        return self.folder.stat().st_mtime_ns

    def until(self, step: int | None) -> int:
        """Its latest checkpoint of at most that many steps (None: of any number), 0 if it has none."""
        return max((one for one in self.steps if step is None or one <= step), default=0)


def folder(key: str, roots: Roots) -> Path:
    """Where the checkpoints of a training lie."""
    return roots.root("cache") / "train" / key


def present(plan: Plan, id: str) -> Record:
    """The record of a loop that would begin now."""
    analysis, keys = plan.analysis, plan.keys
    code: dict[str, str] = {}
    packs: dict[str, str] = {}
    for other in sorted(plan.stands_on(id)):
        spec = plan.node(other).spec
        assert spec is not None
        packs[spec.pack] = analysis.registry.version(spec.pack)
        code |= keys.code.parts(other)
    files = {uri: found["sha256"] for uri, found in keys.files.items()}
    environment = dict(part.split("=", 1) for part in plan.environment.split(","))
    kin = keys.resumable_kin[id]
    return Record(
        keys.resumable[id],
        kin,
        kin,
        environment,
        packs,
        code,
        lengths=_lengths(plan, id),
        node=id,
        title=analysis.graph.meta.title or "",
        settings={other: _settings(plan, other) for other in sorted(plan.stands_on(id))},
        files=files,
    )


def _settings(plan: Plan, id: str) -> dict[str, Any]:
    """Type and settings of a node that are not at their defaults; lengths, and what may change, are left out."""
    spec = plan.node(id).spec
    assert spec is not None
    without = {*spec.resumes, *plan.analysis.registry.lengths.get(spec.id, ())}
    given = plan.analysis.settings[id]
    told = {name: value for name, value in given.items() if name not in without and value != spec.defaults.get(name)}
    return {"type": spec.id, **told}


def _mattering(plan: Plan) -> list[Length]:
    return [one for one in plan.analysis.lengths if one.matters]


def _lengths(plan: Plan, id: str) -> dict[str, Any]:
    """How long the curves of a loop are; where only the run knows it, the settings that say it."""
    found = {f"{one.node}.{one.setting}": one.value for one in _mattering(plan) if id in one.loops}
    told = open_length(plan.analysis, id) or {}
    known = {name: value for name, value in found.items() if value is not None}
    return known | {f"{id}.{name}": value for name, value in told.items()}


def differences(plan: Plan, then: Record, now: Record) -> Iterator[str]:
    """What kin may differ in, in words: lengths, environment, packs and code."""
    follows = {f"{one.node}.{one.setting}": one.loops for one in _mattering(plan) if one.said is None}
    for name in sorted({*then.lengths, *now.lengths}):
        if then.lengths.get(name) != now.lengths.get(name):
            loops = f", as it follows the steps of {' and '.join(follows[name])}" if name in follows else ""
            yield f"{name} {then.lengths.get(name, 'missing')} (now {now.lengths.get(name, 'missing')}{loops})"
    for before, after in ((then.environment, now.environment), (then.packs, now.packs)):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"{name} {before.get(name, 'missing')} (now {after.get(name, 'missing')})"
    for name in sorted({*then.code, *now.code}):
        if then.code.get(name) != now.code.get(name):
            yield f"{name} ({'new' if name not in then.code else 'gone' if name not in now.code else 'edited'})"


def write(place: Path, record: Record) -> None:
    """Put a record into the folder of a training."""
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / RECORD, json.dumps(asdict(record), indent=1) + "\n")


def begun(roots: Roots) -> Iterator[Begun]:
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
