"""The shape of everything that goes over the wire; `bundle` makes one JSON Schema of it (`hcpgraph schema`).

The types of the editor (`web/src/api/schema.d.ts`) are generated from this file and the three that it stands on, never
the other way round.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ...data_report import DataReport, DataReportLine, FlatId, Problem
from .graphs import GraphFile, Json, Specs
from .runs import (
    ClientMessage,
    Job,
    JobStatus,
    MadeBy,
    PictureFrame,
    RunEvent,
    Seconds,
    Series,
    ServerMessage,
    Snapshot,
    Uri,
    WorkerState,
)

__all__ = [
    "ApiError",
    "Capabilities",
    "Check",
    "ClientMessage",
    "DataReport",
    "DataReportLine",
    "FileEntry",
    "GraphEntry",
    "GraphFile",
    "Hello",
    "Imported",
    "Job",
    "JobStatus",
    "LayersReply",
    "Limits",
    "MissingType",
    "NamedObject",
    "NeededFile",
    "NeededPack",
    "Opened",
    "PictureFrame",
    "PlanReply",
    "PlanRow",
    "Read",
    "RunEvent",
    "Series",
    "ServerMessage",
    "Snapshot",
    "Specs",
    "Stamps",
    "TemplateEntry",
    "Uploaded",
    "WorkerState",
    "Write",
]

# Graphs ------------------------------------------------------------------------------------------------------------


class Check(TypedDict):
    """POST /api/check"""

    ok: bool
    hash: str | None
    problems: list[Problem]
    ports: Annotated[
        dict[str, str],
        Field(description="`node.port` (flat ids) -> resolved type of every output and entry, of instances too."),
    ]
    once: Annotated[list[FlatId], Field(description="Nodes inside a region that run once, before it.")]
    facts: Annotated[dict[str, dict[str, Json]], Field(description="`node.port` -> known facts.")]


class PlanRow(TypedDict):
    """What a run would do with one node."""

    node: FlatId
    type: str
    state: Literal["runs", "cached", "unknown", "perhaps"]
    when: Literal["once", "every step"]
    inside: NotRequired[str]
    key: NotRequired[str]
    checkpoint: NotRequired[int]
    made_by: NotRequired[Annotated[MadeBy, Field(description="Of a cached result, where that is known.")]]


class PlanReply(TypedDict):
    """POST /api/plan"""

    ok: bool
    targets: list[str]
    nodes: list[PlanRow]
    keys: Annotated[
        dict[str, str],
        Field(
            description="Node -> what its result follows from; also of nodes behind a cached one, which have no row."
        ),
    ]
    problems: list[Problem]


class Opened(TypedDict):
    """A graph: canonical, defaults written out. Its problems are what had to be changed to open it."""

    graph: GraphFile
    text: str
    hash: str
    name: str | None
    etag: str | None
    problems: list[Problem]


class Read(TypedDict):
    uri: Uri
    node: FlatId
    exists: bool


class Write(TypedDict):
    uri: Uri
    node: FlatId
    problem: Annotated[Problem | None, Field(description="Why the run may not write there, unless it is allowed to.")]


class Fetch(TypedDict):
    uri: Uri
    node: FlatId


class UnknownSetting(TypedDict):
    """A file or a class that is named only during the run."""

    node: FlatId
    setting: str
    kind: Literal["write", "read", "object"]
    source: Annotated[str, Field(description="`node.port` that gives it.")]


class NamedObject(TypedDict):
    path: Annotated[str, Field(description="`package.module:Class`.")]
    node: FlatId
    trusted: bool


class NeededPack(TypedDict):
    name: str
    requires: str
    installed: str | None
    ok: bool


class MissingType(TypedDict):
    type: str
    nodes: list[FlatId]


class NeededFile(TypedDict):
    uri: Uri
    sha256: str
    size: int | None
    found: Annotated[str | None, Field(description="Where it is here, by name or by content.")]
    same: Annotated[bool | None, Field(description="null: its content has not been hashed yet.")]
    hub: str | None


class Capabilities(TypedDict):
    """POST /api/capabilities: what a graph would touch if it were run."""

    reads: list[Read]
    writes: list[Write]
    objects: list[NamedObject]
    unknown: list[UnknownSetting]
    packs: list[NeededPack]
    types_missing: list[MissingType]
    files: list[NeededFile]
    hub: list[Fetch]


class Imported(Opened):
    """POST /api/import, GET /api/file-graph"""

    capabilities: Capabilities
    source: Literal["json", "png", "safetensors"]


class GraphEntry(TypedDict):
    """GET /api/graphs"""

    name: str
    title: str
    modified: Seconds
    size: int


class TemplateEntry(TypedDict):
    """GET /api/templates"""

    name: str
    title: str
    description: str
    picture: Annotated[str | None, Field(description="Where the page gets it from.")]
    groups: Annotated[str, Field(description="The folder that it lies in, such as `quickstart`.")]
    uses: Annotated[list[str], Field(description="The node types in it and in its subgraphs.")]
    needs: Annotated[
        list[Literal["models", "data"]],
        Field(description="Whose files its settings name: it runs once they are there."),
    ]


# Files and the rest ------------------------------------------------------------------------------------------------


class FileEntry(TypedDict):
    """GET /api/files"""

    name: str
    uri: Uri
    kind: Literal["folder", "image", "weights", "graph", "text", "other"]
    size: int
    modified: Seconds
    count: NotRequired[Annotated[int, Field(description="Of a folder: how much lies in it.")]]


class Stamps(TypedDict):
    """POST /api/stamps"""

    stamps: Annotated[
        dict[Uri, str | None],
        Field(description="What changes with the content of each file; null for what is not there or not shown."),
    ]


class Uploaded(TypedDict):
    """POST /api/upload"""

    uri: Uri
    sha256: str
    size: int
    count: NotRequired[int]
    skipped: NotRequired[Annotated[list[str], Field(description="Files of a folder that are of no use here.")]]


class LayersReply(TypedDict):
    """POST /api/layers"""

    total: int
    matched: int
    names: list[str]
    near: list[str]
    groups: dict[str, int]
    problems: list[Problem]


class Limits(TypedDict):
    """Of what is sent, in bytes."""

    graph: int
    picture: int
    text: int
    weights: int


class Hello(TypedDict):
    """GET /api/hello"""

    version: str
    workspace: str
    roots: list[str]
    worker: WorkerState
    limits: Limits
    languages: list[str]


class ApiError(TypedDict):
    """Every reply other than 2xx."""

    problems: list[Problem]
