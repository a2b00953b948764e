"""Old files and old nodes made new. Every step is a pure function from dict to dict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import GraphErrors, Problem, SpecError
from .fileformat import FORMAT, NodeEntry, problems_in, shown

if TYPE_CHECKING:
    from .graph import Drawing, Graph

Migration = Callable[[dict[str, Any]], dict[str, Any]]

FORMATS: dict[str, Migration] = {}
"""By file format: the function that turns a whole file of it into a file of the next format."""


@dataclass(frozen=True, slots=True)
class _Step:
    function: Migration
    ports: Mapping[str, str]


_STEPS: dict[tuple[str, int], _Step] = {}


def migrate(type_id: str, *, since: int, ports: Mapping[str, str] | None = None) -> Callable[[Migration], Migration]:
    """Register a pure function that makes a node of version `since` into one of version `since + 1`.

    The function is given `{"type", "version", "settings"}` and returns the same; with another `type` the node
    is renamed.

    Args:
        type_id: The node type.
        since: The version that the function reads.
        ports: Ports that got another name, old to new; wires and interface follow.

    Raises:
        SpecError: there is such a function already.
    """

    def register(function: Migration) -> Migration:
        if (type_id, since) in _STEPS:
            raise SpecError(f"{type_id}: version {since} has a migration already")
        _STEPS[type_id, since] = _Step(function, dict(ports or {}))
        return function

    return register


def upgrade_file(raw: object) -> dict[str, Any]:
    """The JSON value of a graph file in the present format.

    Raises:
        GraphErrors: it is not a graph file, or one of a newer format.
    """
    hint = f'a graph file is an object that begins with "format": "{FORMAT}"'
    if not isinstance(raw, dict):
        raise GraphErrors.one("E_FORMAT", "this is not a graph file", hint=hint)
    while isinstance(raw.get("format"), str) and raw["format"] in FORMATS:
        raw = FORMATS[raw["format"]](raw)
    found = raw.get("format")
    if found == FORMAT:
        return raw
    if found is None:
        raise GraphErrors.one("E_FORMAT", "this is not a graph file: it has no format", hint=hint)
    number = re.fullmatch(r"hcpgraph/(\d{1,9})", found) if isinstance(found, str) else None
    if number and int(number[1]) > int(FORMAT.partition("/")[2]):
        hint = "upgrade hcpgraph: pip install -U hcpgraph"
        raise GraphErrors.one("E_FORMAT", f"the file has the newer format {shown(found)}", hint=hint)
    raise GraphErrors.one("E_FORMAT", f"the format {shown(found)} is unknown", hint=hint)


def migrate_document(graph: Graph, versions: Mapping[str, int]) -> tuple[Graph, list[Problem]]:
    """The graph with every node at its present version, and notes about what was changed.

    The graph that was given is left as it is. A note of severity `error` says that a node cannot be used.

    Args:
        graph: Any graph.
        versions: The present version of each installed node type; nodes of other types are left alone.
    """
    stale = [
        (name, node)
        for name, body in graph.bodies()
        for node, entry in body.nodes.items()
        if versions.get(entry.type, entry.version) != entry.version or (entry.type, entry.version) in _STEPS
    ]
    if not stale:
        return graph, []
    fresh = graph.copy()
    bodies = dict(fresh.bodies())
    notes = [note for name, node in stale for note in _migrate_node(bodies[name], name, node, versions)]
    return fresh, notes


def _migrate_node(body: Drawing, graph: str | None, node: str, versions: Mapping[str, int]) -> Iterator[Problem]:
    entry = body.nodes[node]
    place = f"{graph}/{node}" if graph else node
    first = f"{entry.type} version {entry.version}"
    while step := _step(entry, versions):
        try:
            entry = _applied(step, entry)
        except Exception as error:
            message = f"{entry.type} version {entry.version} cannot be migrated: {error}"
            yield Problem("E_MIGRATION", message, place, hint="report it to the author of the pack")
            return
        _rename(body, node, step.ports)
    body.nodes[node] = entry
    last = f"{entry.type} version {entry.version}"
    if last != first:
        yield Problem("W_MIGRATED", f"{first} became {last}", place, severity="warning")
    current = versions.get(entry.type, entry.version)
    if entry.version > current:
        message = f"{last} is newer than the installed version {current}"
        yield Problem("E_VERSION", message, place, hint="update the pack that has this node")
    elif entry.version < current:
        entry.version = current
        message = f"{last} is now version {current}, which may give other numbers"
        yield Problem("W_VERSION", message, place, severity="warning")


def _step(entry: NodeEntry, versions: Mapping[str, int]) -> _Step | None:
    current = versions.get(entry.type)
    return _STEPS.get((entry.type, entry.version)) if current is None or entry.version < current else None


def _applied(step: _Step, entry: NodeEntry) -> NodeEntry:
    given = {"type": entry.type, "version": entry.version, "settings": deepcopy(entry.settings)}
    raw = {**step.function(given), "version": entry.version + 1}
    kept = {"in": entry.inside, "mode": entry.mode, "stream": entry.stream, "title": entry.title}
    try:
        return NodeEntry.model_validate(raw | kept)
    except ValidationError as error:
        raise ValueError("; ".join(found.message for found in problems_in(error, NodeEntry, raw))) from None


def _rename(body: Drawing, node: str, ports: Mapping[str, str]) -> None:
    names = {f"{node}.{old}": f"{node}.{new}" for old, new in ports.items()}

    def renamed(port: str) -> str:
        owner, name, *index = port.split(".")
        return ".".join([names.get(f"{owner}.{name}", f"{owner}.{name}"), *index])

    if names:
        body.rename_ports(renamed)
