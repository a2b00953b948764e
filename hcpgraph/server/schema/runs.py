"""The shape of runs: jobs, events, and what goes over the WebSocket."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ...data_report import FlatId, Problem
from ...events import Kind
from .graphs import ANY_JSON

MORE_JSON = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": ANY_JSON})
Uri = Annotated[str, Field(description="`root:relative`.")]
Seconds = Annotated[float, Field(description="Since 1970.")]

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


class Job(TypedDict):
    """A run: waiting, going on, or over."""

    id: Annotated[str, Field(description="Also the id of the run and the name of its folder below `runs:`.")]
    status: JobStatus
    title: str
    graph_hash: str
    targets: list[str]
    position: int
    created: Seconds
    started: Seconds | None
    ended: Seconds | None
    reason: Annotated[
        Problem | None,
        Field(description="Why it failed or was cancelled, if the run itself could not say: killed, out of memory."),
    ]
    artifacts: int
    picture: Annotated[str | None, Field(description="First picture it wrote, for lists.")]


class Checkpoint(TypedDict):
    """A state of a training from which it can go on."""

    step: int
    uri: Uri


class MadeBy(TypedDict):
    """Where a kept result comes from."""

    run: str
    node: FlatId


class NodeRun(TypedDict):
    """How far a node is."""

    state: Literal["waiting", "running", "done", "cached", "failed", "skipped"]
    seconds: NotRequired[float]
    key: NotRequired[Annotated[str, Field(description="What the result follows from; equal keys, equal results.")]]
    made_by: NotRequired[Annotated[MadeBy, Field(description="Of a cached result, where that is known.")]]
    value: NotRequired[float]
    total: NotRequired[float]
    numbers: NotRequired[dict[str, float]]
    problem: NotRequired[Problem]
    traceback: NotRequired[Annotated[str, Field(description="Where in the code it failed.")]]
    checkpoints: NotRequired[Annotated[list[Checkpoint], Field(description="Those that are kept, oldest first.")]]


@with_config(MORE_JSON)
class Artifact(TypedDict):
    """A file that a run wrote."""

    node: FlatId
    uri: Uri
    type: Literal["image", "weights", "table", "graph", "file"]
    step: NotRequired[int]
    not_finite: NotRequired[
        Annotated[bool, Field(description="Some of its values were infinite or not numbers; it is black there.")]
    ]
    seq: int
    t: Seconds


class LogLine(TypedDict):
    """A line of the log of a run."""

    seq: int
    t: Seconds
    node: NotRequired[FlatId]
    level: str
    message: str


class Snapshot(TypedDict):
    """GET /api/jobs/{id}: everything that the events up to `seq` say."""

    job: Job
    seq: int
    nodes: dict[str, NodeRun]
    artifacts: list[Artifact]
    log: list[LogLine]
    pictures: Annotated[
        dict[FlatId, str],
        Field(description="Nodes whose value has a picture -> a stamp of it, for GET /api/jobs/{id}/picture."),
    ]


class Series(TypedDict):
    """GET /api/jobs/{id}/series: node -> name -> [[step, value], …], thinned by minimum and maximum of buckets."""

    seq: int
    series: dict[str, dict[str, list[tuple[float, float]]]]


@with_config(MORE_JSON)
class RunEvent(TypedDict):
    """One line of events.jsonl."""

    run: str
    seq: int
    t: Seconds
    kind: Kind
    node: NotRequired[FlatId]


# The WebSocket -----------------------------------------------------------------------------------------------------


class WorkerState(TypedDict):
    """The process that runs graphs."""

    state: Literal["starting", "idle", "busy", "restarting", "dead"]
    device: str | None
    pid: int | None
    problem: Problem | None


class Gpu(TypedDict):
    name: str
    used: int
    total: int
    load: float | None


class Meter(TypedDict):
    """What the machine is doing: shares of one and bytes."""

    cpu: float
    memory: int
    memory_total: int
    worker_memory: int
    gpus: list[Gpu]


class HelloMessage(TypedDict):
    type: Literal["hello"]
    version: str
    worker: WorkerState


class QueueMessage(TypedDict):
    type: Literal["queue"]
    jobs: list[Job]


class JobMessage(TypedDict):
    type: Literal["job"]
    job: Job


class EventsMessage(TypedDict):
    type: Literal["events"]
    job: str
    events: list[RunEvent]


class WorkerMessage(TypedDict):
    type: Literal["worker"]
    worker: WorkerState


class MeterMessage(TypedDict):
    type: Literal["meter"]
    meter: Meter


class SpecsMessage(TypedDict):
    type: Literal["specs"]
    hash: str


ServerMessage = HelloMessage | QueueMessage | JobMessage | EventsMessage | WorkerMessage | MeterMessage | SpecsMessage


class FollowMessage(TypedDict):
    type: Literal["follow"]
    job: str
    since: int


class UnfollowMessage(TypedDict):
    type: Literal["unfollow"]
    job: str


ClientMessage = FollowMessage | UnfollowMessage


class PictureFrame(TypedDict):
    """A binary frame, msgpack: a picture of a node's value while a run goes on."""

    type: Literal["picture"]
    job: str
    node: FlatId
    port: str
    step: int | None
    format: Literal["image/webp"]
    width: int
    height: int
    data: Annotated[bytes, Field(json_schema_extra={"format": "binary", "tsType": "Uint8Array"})]
