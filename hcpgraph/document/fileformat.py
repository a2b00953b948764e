"""The shape of a graph file: what it may contain, under which names, and how a mistake in it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import HIDDEN, Problem, did_you_mean
from ..rng import SEED_MAX

FORMAT = "hcpgraph/1"
MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_PROBLEMS = 1000
MAX_INT = 2**53 - 1

_ID = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
_PORT = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
ID = rf"^{_ID}$"
PORT = rf"^{_PORT}$"
TYPE = rf"^(graph:{_ID}|[A-Za-z_][A-Za-z0-9_.-]{{0,127}})$"
SOURCE = rf"^{_ID}\.{_PORT}$"
STREAM = rf"^@?{_ID}(/{_ID})*$"
TARGET = rf"^{_ID}\.{_PORT}(\.(0|[1-9][0-9]{{0,4}}))?$"

PLAIN = rf"^[^{HIDDEN}]*$"

_WRITTEN: dict[str, tuple[str, str]] = {
    ID: ("E_ID", "a name is a letter or _ and up to 63 letters, digits, _ and -"),
    PORT: ("E_ID", "the name of a port is a letter or _ and up to 63 letters, digits and _"),
    STREAM: ("E_ID", "a random stream is named like the node whose draws it gives"),
    TYPE: ("E_FIELD", "a type is written 'category.name', and a subgraph 'graph:NAME'"),
    SOURCE: ("E_EDGE_SYNTAX", "a source is written 'node.port'"),
    PLAIN: ("E_TEXT", "take out what is not seen or turns the direction of writing; \\u202e is such a character"),
    TARGET: ("E_EDGE_SYNTAX", "a target is written 'node.port', and in a list port 'node.port.0'"),
}

Id = Annotated[str, StringConstraints(pattern=ID)]
PortName = Annotated[str, StringConstraints(pattern=PORT)]
TypeId = Annotated[str, StringConstraints(pattern=TYPE)]
Source = Annotated[str, StringConstraints(pattern=SOURCE)]
Target = Annotated[str, StringConstraints(pattern=TARGET)]
Plain = Annotated[str, StringConstraints(pattern=PLAIN)]
Mode = Literal["mute", "bypass"]
Place = Sequence[str | int]


class Entry(BaseModel):
    """Base of everything in a graph file: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)


class NodeEntry(Entry):
    """One node: its type, its settings, and the region it lives in (`in` in the file, `inside` here)."""

    type: TypeId
    version: Annotated[int, Field(ge=1)] = 1
    inside: Id | None = Field(default=None, validation_alias="in", serialization_alias="in")
    settings: dict[str, Any] = Field(default_factory=dict)
    mode: Mode | None = None
    stream: Annotated[str, StringConstraints(pattern=STREAM)] | None = None
    title: Plain | None = None

    @property
    def graph(self) -> str | None:
        """The name of the subgraph that this node is an instance of, or None for a node of a pack."""
        return self.type[6:] if self.type.startswith("graph:") else None


class Interface(Entry):
    """What a graph shows to the outside: inputs that feed targets in it, outputs taken from sources in it."""

    inputs: dict[PortName, Annotated[list[Target], Field(min_length=1)]] = Field(default_factory=dict)
    outputs: dict[PortName, Source] = Field(default_factory=dict)

    def promoted(self, target: str) -> str | None:
        """The name of the input that feeds `node.port`, or None."""
        return next((name for name, targets in self.inputs.items() if target in targets), None)


class View(Entry):
    """Where things are drawn; no run and no hash depends on it."""

    nodes: dict[Id, Annotated[list[float], Field(min_length=2, max_length=4)]] = Field(default_factory=dict)
    notes: list[dict[str, Any]] = Field(default_factory=list)
    frames: list[dict[str, Any]] = Field(default_factory=list)


class Meta(Entry):
    """Who made the graph and what it is for."""

    title: Plain | None = None
    description: Plain | None = None
    authors: list[Plain] = Field(default_factory=list)
    license: Plain | None = None


class FileRecord(Entry):
    """A file, or a folder of `count` files, that a run read: its hash and size, and where to fetch it."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)] | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    hub: Plain | None = None


class RunOptions(Entry):
    """With what a graph is run unless the call says otherwise, so that a file gives the same result again."""

    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"


class Requires(Entry):
    """What must be there to run the graph: versions of hcpgraph and of packs, and files by `root:path`."""

    hcpgraph: Plain | None = None
    packs: dict[Plain, Plain] = Field(default_factory=dict)
    files: dict[Plain, FileRecord] = Field(default_factory=dict)


class Body(Entry):
    """The drawing itself: nodes by id, edges by target, what the outside sees, where things are drawn."""

    nodes: dict[Id, NodeEntry] = Field(default_factory=dict)
    edges: dict[Target, Source] = Field(default_factory=dict)
    interface: Interface = Field(default_factory=Interface)
    view: View = Field(default_factory=View)


class GraphFile(Body):
    """A graph file: a drawing, the bodies of its subgraphs, what it needs and what it is about."""

    format: Literal["hcpgraph/1"] = "hcpgraph/1"
    meta: Meta = Field(default_factory=Meta)
    requires: Requires = Field(default_factory=Requires)
    run: RunOptions = Field(default_factory=RunOptions)
    graphs: Mapping[Id, Body] = Field(default_factory=dict)


def split_target(target: str) -> tuple[str, str, int | None]:
    """`node.port.2` -> (`node`, `port`, 2); `node.port` -> (`node`, `port`, None)."""
    node, port, *index = target.split(".")
    return node, port, int(index[0]) if index else None


def target_order(target: str) -> tuple[str, str, int]:
    """Sort key of targets: by node, by port, and by number within a list port."""
    node, port, index = split_target(target)
    return node, port, -1 if index is None else index


def gaps(edges: Iterable[str], inputs: Mapping[str, list[str]]) -> dict[str, str]:
    """The new names of the targets in list ports that have gaps, so that every list port is 0 … n-1."""
    ports: dict[str, set[int]] = {}
    for target in chain(edges, *inputs.values()):
        if target.count(".") > 1:
            port, _, index = target.rpartition(".")
            ports.setdefault(port, set()).add(int(index))
    return {
        f"{port}.{index}": f"{port}.{place}"
        for port, indexes in ports.items()
        if len(indexes) <= max(indexes)
        for place, index in enumerate(sorted(indexes))
        if place != index
    }


def shown(value: object) -> str:
    """A value of a stranger's file, short and without control characters, for a message."""
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 64 else text[:60] + "…"


def matches(pattern: str, text: str) -> bool:
    """Whether a whole text has the form of ID, PORT, TYPE, SOURCE or TARGET."""
    return re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text) is not None


def malformed(pattern: str, text: object, node: str | None = None) -> Problem:
    """The problem of a text that does not have the form of ID, PORT, TYPE, SOURCE or TARGET."""
    code, hint = _WRITTEN.get(pattern, ("E_FIELD", f"it is written as {pattern}"))
    return Problem(code, f"{shown(text)} is not written correctly", node, hint=hint)


def problems_in(error: ValidationError, model: type[BaseModel], raw: object) -> Iterator[Problem]:
    """What pydantic found wrong with `raw` as a `model`, in the words of this package."""
    for found in error.errors(include_url=False, include_input=False):
        path = [part for part in found["loc"] if part != "[key]"]
        node = node_at(path)
        name = path[-1] if path else ""
        value = _at(raw, path)
        if "[key]" in found["loc"]:
            value = name
        where = written(path)
        if found["type"] == "extra_forbidden":
            known = _names(_model_at(model, path[:-1]))
            hint = did_you_mean(str(name)[:64], known, "keys")
            place = f" in {written(path[:-1])}" if path[:-1] else ""
            yield Problem("E_FIELD", f"unknown key {shown(name)}{place}", node, hint=hint)
        elif found["type"] == "string_pattern_mismatch":
            problem = malformed(found["ctx"]["pattern"], value, node=node)
            about = "" if value is name else f"{where}: "
            yield Problem(problem.code, about + problem.message, node, hint=problem.hint)
        elif found["type"] == "missing":
            yield Problem("E_FIELD", f"{where} is missing", node)
        else:
            yield Problem("E_FIELD", f"{where}: {found['msg'][0].lower()}{found['msg'][1:]}", node)


def node_at(place: Place) -> str | None:
    """The id of the node that a place in the file lies in, as `graph/node` inside a subgraph."""
    if len(place) > 1 and place[0] == "nodes":
        return str(place[1])[:64]
    if len(place) > 3 and place[0] == "graphs" and place[2] == "nodes":
        return f"{str(place[1])[:64]}/{str(place[3])[:64]}"
    return None


def written(place: Place) -> str:
    """A place in the file as text, without control characters."""
    return ".".join(repr(str(part)[:60])[1:-1] for part in place) or "the file"


def _at(raw: object, path: Place) -> object:
    for part in path:
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        else:
            return None
    return raw


def _model_at(model: type[BaseModel], path: Place) -> type[BaseModel]:
    """The model that describes the object at a place: its fields are the keys that may be there."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.validation_alias or name: field for name, field in here.model_fields.items()}
            here = fields[str(part)].annotation
        else:
            here = here.__args__[-1]
    return cast("type[BaseModel]", here)


def _names(model: type[BaseModel]) -> list[str]:
    return [str(field.validation_alias or name) for name, field in model.model_fields.items()]
