"""A job: what its status may be, and what it takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Status = Literal["queued", "running", "done", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """One job, as the schema has it; `position` counts from 1 in the queue and is 0 for what is not queued."""

    id: str
    status: Status
    title: str
    graph_hash: str
    targets: list[str]
    position: int
    created: float
    started: float | None
    ended: float | None
    reason: dict[str, Any] | None
    artifacts: int
    picture: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Work:
    """A job that is about to run, with what it takes."""

    job: Job
    graph: str
    targets: list[str]
    force: list[str]
    allow_write: list[str]
    resume: bool
