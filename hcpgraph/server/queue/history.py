"""Runs that were not made by the server: those of `hcpgraph run` in the same workspace, read from their folders."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ...errors import GraphErrors, Problem
from .job import Status
from .runs import ID

SILENT = 3_600.0
"""Seconds after which a run that says nothing more is taken for dead: it was killed and could not say so."""
HASHED = 200
"""Runs of which it is told whether they ran the graph that a page shows: of older ones nobody asks."""


@dataclass(frozen=True)
class Recorded:
    """A run that was not made here: what its folder says."""

    id: str
    status: Status
    title: str
    targets: list[str]
    started: float
    ended: float
    reason: Problem | None
    artifacts: int
    picture: str | None
    graph_hash: str = ""


def recorded(folder: Path, known: Collection[str], hash_of: Callable[[str], str]) -> list[Recorded]:
    """The ended runs in a folder of runs that are not known yet; one that goes on elsewhere is left out until its end.

    Args:
        folder: The workspace's `runs`.
        known: Ids that need not be looked at.
        hash_of: Gives the hash of a graph's text, as jobs have it; only asked for the latest runs.
    """
    try:
        names = [path.name for path in folder.iterdir() if path.name not in known and ID.fullmatch(path.name)]
    except OSError:
        return []
    found = [run for name in names if (run := _read(folder / name)) is not None]
    found.sort(key=lambda run: run.started)
    return [*found[:-HASHED], *(replace(run, graph_hash=_hash(folder / run.id, hash_of)) for run in found[-HASHED:])]


def _hash(folder: Path, hash_of: Callable[[str], str]) -> str:
    try:
        return hash_of((folder / "graph.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, GraphErrors):
        return ""


def conclude_record(folder: Path, status: str, reason: Problem) -> None:
    """Write into the record of a run how its job ended, where it says something else or nothing.

    Raises:
        OSError: the disk does not take it.
    """
    from ...running.record import write_json

    entry = _entry(folder)
    if entry is not None and entry.get("status") != status:
        write_json(folder / "run.json", {**entry, "status": status, "reason": reason.to_json()})


def _entry(folder: Path) -> dict[str, Any] | None:
    try:
        entry: Any = json.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def _read(folder: Path) -> Recorded | None:
    """A run by its record; None where it goes on, or where the record is none."""
    entry = _entry(folder)
    if entry is None:
        return None
    try:
        started = datetime.strptime(entry["started"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
        status, reason = entry["status"], entry.get("reason")
        ended = started + float(entry.get("seconds", 0.0))
        problem = Problem(**reason) if reason else None
        if status == "running":
            ended = max(path.stat().st_mtime for path in (folder / "run.json", folder / "events.jsonl"))
            if time.time() - ended < SILENT:
                return None
            status = "failed"
            problem = Problem("E_INTERRUPTED", "the run ended without saying how: its process was killed")
        if status not in ("done", "failed", "cancelled"):
            return None
        artifacts = list(entry.get("artifacts", ()))
        return Recorded(
            id=folder.name,
            status=status,
            title=str(entry.get("title") or ""),
            targets=[str(target) for target in entry.get("targets", ())],
            started=started,
            ended=ended,
            reason=problem,
            artifacts=len(artifacts),
            picture=next((item["uri"] for item in artifacts if item.get("type") == "image"), None),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
