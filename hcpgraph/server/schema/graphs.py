"""The shape of graph files and of node types, as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ...data_report import Problem
from ...document.fileformat import FORMAT, ID, MAX_INT, PORT, SOURCE, STREAM, TARGET, TYPE
from ...rng import SEED_MAX

ANY_JSON: dict[str, Any] = {"x-json": True}
"""Stands in pydantic's schemas for any JSON value, until `bundle` puts the definition there."""
Json = Annotated[Any, Field(json_schema_extra=ANY_JSON)]

Id = Annotated[str, Field(pattern=ID)]
PortName = Annotated[str, Field(pattern=PORT)]
Source = Annotated[str, Field(pattern=SOURCE)]
Target = Annotated[str, Field(pattern=TARGET)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=MAX_INT)]
Rect = tuple[float, float, float, float]

# The graph file ----------------------------------------------------------------------------------------------------

NodeEntry = TypedDict(
    "NodeEntry",
    {
        "type": Annotated[str, Field(pattern=TYPE)],
        "version": Annotated[int, Field(ge=1)],
        "in": NotRequired[Annotated[Id, Field(description="The owner of the region it lives in.")]],
        "settings": NotRequired[dict[str, Json]],
        "mode": NotRequired[Literal["mute", "bypass"]],
        "stream": NotRequired[Annotated[str, Field(pattern=STREAM, description="Name of its random draws.")]],
        "title": NotRequired[str],
    },
)
NodeEntry.__doc__ = "One node of a graph file."


class Interface(TypedDict):
    """What a graph shows to the outside: inputs that feed targets in it, outputs taken from sources in it."""

    inputs: NotRequired[dict[PortName, list[Target]]]
    outputs: NotRequired[dict[PortName, Source]]


class Note(TypedDict):
    """A text on the canvas, Markdown."""

    id: str
    at: Rect
    text: str
    color: NotRequired[str]


class Frame(TypedDict):
    """A box around nodes, with a title."""

    id: str
    at: Rect
    title: str
    color: NotRequired[str]


class View(TypedDict):
    """Where things are drawn: node id -> [x, y] or [x, y, width, height], absolute on the canvas of its body."""

    nodes: NotRequired[dict[Id, Annotated[list[float], Field(min_length=2, max_length=4)]]]
    notes: NotRequired[list[Note]]
    frames: NotRequired[list[Frame]]


class Body(TypedDict):
    """A drawing: the root of a file, or the body of a subgraph."""

    nodes: dict[Id, NodeEntry]
    edges: Annotated[
        dict[Target, Source], Field(description='Target port -> source port: `"train.loss.0": "mean.out"`.')
    ]
    interface: Interface
    view: View


class Meta(TypedDict):
    """Who made the graph and what it is for."""

    title: NotRequired[str]
    description: NotRequired[str]
    authors: NotRequired[list[str]]
    license: NotRequired[str]


class FileRecord(TypedDict):
    """A file, or a folder of `count` files, that a run read."""

    sha256: Sha256
    size: NotRequired[Count]
    count: NotRequired[Count]
    hub: NotRequired[str]


class Requires(TypedDict):
    """What must be there to run the graph; files by `root:path`."""

    hcpgraph: NotRequired[str]
    packs: NotRequired[dict[str, str]]
    files: NotRequired[dict[str, FileRecord]]


class RunOptions(TypedDict):
    """With what the graph is run unless the call says otherwise."""

    seed: NotRequired[Annotated[int, Field(ge=0, le=SEED_MAX)]]
    precision: NotRequired[Literal["fp32", "bf16", "fp16"]]


class GraphFile(Body):
    """A graph as the API gives it: what is empty is there too. In a file it may be left out (`Document`)."""

    format: Literal["hcpgraph/1"]
    meta: Meta
    requires: Requires
    run: NotRequired[RunOptions]
    graphs: dict[Id, Body]


assert FORMAT == "hcpgraph/1"

# Node types --------------------------------------------------------------------------------------------------------


class PortSpec(TypedDict):
    """One port of a node type."""

    name: str
    type: Annotated[
        str,
        Field(description='"Images", "list[Images]", "Captions?" (may be left open), "$T" (bound once a node), "any".'),
    ]
    optional: NotRequired[bool]
    many: NotRequired[bool]
    lazy: NotRequired[bool]
    later: NotRequired[bool]
    each: NotRequired[Annotated[str, Field(description="Of an entry that is an item of a list: that input.")]]
    number: NotRequired[Annotated[bool, Field(description="Whether it is the number of that item instead.")]]
    help: NotRequired[str]
    facts: NotRequired[dict[str, Json]]
    part_of: NotRequired[Annotated[str, Field(description="The port for a whole bundle that can stand for this one.")]]


@with_config(ConfigDict(extra="ignore"))  # not that of the open schema it lies in
class WidgetHint(TypedDict):
    """How a setting is edited."""

    kind: Literal["auto", "slider", "prompt", "textarea", "text", "seed", "path", "model", "layers", "formula"]
    group: NotRequired[str]
    advanced: NotRequired[bool]
    primary: NotRequired[bool]
    step: NotRequired[float]
    log: NotRequired[bool]
    kind_of: NotRequired[Literal["file", "folder", "any"]]
    suffixes: NotRequired[list[str]]
    write: NotRequired[bool]
    of: NotRequired[str]
    operations: NotRequired[dict[str, int]]


SettingSchema = TypedDict(
    "SettingSchema",
    {
        "type": NotRequired[str | list[str]],
        "anyOf": NotRequired[list["SettingSchema"]],
        "enum": NotRequired[list[Json]],
        "const": NotRequired[Json],
        "items": NotRequired["SettingSchema"],
        "default": NotRequired[Json],
        "title": NotRequired[str],
        "description": NotRequired[str],
        "minimum": NotRequired[float],
        "maximum": NotRequired[float],
        "exclusiveMinimum": NotRequired[float],
        "exclusiveMaximum": NotRequired[float],
        "minItems": NotRequired[int],
        "maxItems": NotRequired[int],
        "minLength": NotRequired[int],
        "maxLength": NotRequired[int],
        "pattern": NotRequired[str],
        "x-widget": NotRequired[WidgetHint],
    },
)
SettingSchema.__doc__ = "JSON Schema of one setting."
SettingSchema.__pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[attr-defined]


class SettingsSchema(TypedDict):
    """JSON Schema of all settings of a node type."""

    properties: NotRequired[dict[str, SettingSchema]]
    required: NotRequired[list[str]]
    type: NotRequired[str]
    additionalProperties: NotRequired[bool]


class Choose(TypedDict):
    """Which lazy ports a value of a setting asks for."""

    setting: str
    table: dict[str, list[str]]


class NodeSpec(TypedDict):
    """A node type, its texts in the asked language."""

    id: str
    version: int
    title: str
    help: str
    doc: str
    title_en: NotRequired[Annotated[str, Field(description="Where the texts are not English.")]]
    help_en: NotRequired[str]
    also: NotRequired[Annotated[list[str], Field(description="Its titles in further languages, to be searched.")]]
    pack: str
    effects: list[str]
    inputs: list[PortSpec]
    outputs: list[PortSpec]
    body: Annotated[
        bool,
        Field(description="It owns a region: `entries` are sources inside of it, `exits` targets fed from inside."),
    ]
    entries: list[PortSpec]
    exits: list[PortSpec]
    schema: SettingsSchema
    setting_types: dict[str, str]
    defaults: dict[str, Json]
    mutates: list[str]
    trains: list[str]
    resumes: list[str]
    choose: NotRequired[Choose | None]


class TypeInfo(TypedDict):
    """A port type."""

    name: str
    bases: list[str]
    color: str
    shape: Literal["circle", "square", "diamond", "triangle"]
    help: str
    weights: str
    facts: list[str]
    parts: Annotated[dict[str, str], Field(description="Of a bundle: the types of its parts, by name.")]


class Specs(TypedDict):
    """GET /api/specs"""

    specs: list[NodeSpec]
    types: list[TypeInfo]
    accepts: Annotated[
        dict[str, list[str]],
        Field(
            description='Target type -> source types that it takes; "Many[T]" is an input for many wires of T. Types '
            "that are not listed: ask /api/check."
        ),
    ]
    categories: NotRequired[
        Annotated[dict[str, str], Field(description="First part of node ids -> its name, where a pack names it.")]
    ]
    labels: NotRequired[
        Annotated[dict[str, str], Field(description="Setting, or input of a graph -> its label, where a pack has one.")]
    ]
    codes: Annotated[dict[str, str], Field(description="Error code -> what it means, in the asked language.")]
    problems: list[Problem]
    hash: str
