"""What a run would do with every node of a plan: run it, take it from the disk, or decide on the way.

`hcpgraph run --dry-run` prints it, the editor marks the nodes with it. Nothing is run or imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..checkpoints import steps
from ..errors import GraphError
from ..fingerprint import Fingerprints
from ..paths import Roots
from ..planning.begun import wanted
from ..planning.plan import Plan
from ..planning.records import folder
from .cache import DiskCache

State = Literal["runs", "cached", "unknown", "perhaps"]


@dataclass(frozen=True)
class Row:
    """One node of a plan.

    Attributes:
        inside: The region that it runs in at every pass; None for what runs once.
        checkpoint: Steps that are done already, for a training loop.
        made_by: The run and the node that made a cached result, where they are known.
    """

    node: str
    type: str
    state: State
    inside: str | None = None
    key: str | None = None
    checkpoint: int | None = None
    made_by: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        row = {name: value for name, value in asdict(self).items() if value is not None}
        return row | {"when": "once" if self.inside is None else "every step"}


def plan_rows(plan: Plan, places: Roots, *, disk: bool, force: frozenset[str]) -> Iterator[Row]:
    """What stands between the targets and what is on disk, in the order of the run, each loop followed by its body."""
    kept: dict[str, Mapping[str, Any]] = {}
    states = _states(plan, places, disk, plan.anew(force), kept)
    for id in plan.needed():
        if id not in states:
            continue
        state = states[id]
        forced = bool({"*", id} & force)
        done = None if forced or state == "cached" else _checkpoint(plan, id, places)
        maker = kept.get(id, {}).get("made_by")
        yield Row(id, plan.node(id).type, state, None, plan.keys.of.get(id), done, maker)
        if state != "cached":
            yield from _body(plan, id)


def _body(plan: Plan, owner: str) -> Iterator[Row]:
    stack = [(owner, id) for id in reversed(plan.bodies[owner].ops)] if owner in plan.bodies else []
    while stack:
        inside, id = stack.pop()
        yield Row(id, plan.node(id).type, "runs", inside)
        if id in plan.bodies:
            stack += [(id, inner) for inner in reversed(plan.bodies[id].ops)]


def _states(
    plan: Plan, places: Roots, disk: bool, anew: frozenset[str], kept: dict[str, Mapping[str, Any]]
) -> dict[str, State]:
    """Demand first, as the run does it: nothing behind a cached node is asked for. What is said of cached results
    beside their values is put into `kept`."""
    states: dict[str, State] = {}
    stack: list[tuple[str, bool]] = [(target, True) for target in plan.targets]
    while stack:
        id, sure = stack.pop()
        if id in states and not (sure and states[id] == "perhaps"):
            continue
        key = plan.keys.of.get(id)
        if disk and key is not None and id not in anew and (found := _kept(plan, id, key, places)) is not None:
            states[id], kept[id] = "cached", found
            continue
        states[id] = "perhaps" if not sure else "unknown" if key is None else "runs"
        stack += [(other, sure) for other in plan.waits_for(id)]
        stack += [(other, False) for other in plan.branches(id)]
    return states


def _kept(plan: Plan, id: str, key: str, places: Roots) -> Mapping[str, Any] | None:
    """What stands beside a result in the disk cache; None where it is not there, or the files that it stands for are
    not as they were written."""
    if not plan.on_disk(id):
        return None
    folder = DiskCache(places.root("cache")).folder / "values" / key[:2] / key
    prints = Fingerprints(places.root("cache") / "fingerprints.sqlite")
    try:
        described: Mapping[str, Any] = json.loads((folder / "value.json").read_bytes())
        written = described.get("artifacts", ())
        same = all(prints.of(places.resolve(entry["uri"])) == entry["sha256"] for entry in written)
        return described if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, GraphError):
        return None


def _checkpoint(plan: Plan, id: str, places: Roots) -> int | None:
    """The latest step that a training loop has on disk and would go on from."""
    key = plan.keys.resumable.get(id)
    bound = wanted(plan, id)
    done = [step for step in steps(folder(key, places)) if bound is None or step <= bound] if key else []
    return max(done, default=None)
