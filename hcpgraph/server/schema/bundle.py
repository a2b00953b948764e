"""One JSON Schema of everything that goes over the wire and lies on the disk: `hcpgraph schema`."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic import TypeAdapter

from . import wire

NAMED = (
    "GraphFile", "Specs", "Check", "PlanReply", "Opened", "Imported", "Capabilities", "GraphEntry", "TemplateEntry",
    "JobStatus", "Job", "Snapshot", "Series", "RunEvent", "ServerMessage", "ClientMessage", "PictureFrame",
    "FileEntry", "Stamps", "Uploaded", "LayersReply", "Hello", "ApiError", "DataReport", "DataReportLine",
)  # fmt: skip
JSON: dict[str, Any] = {
    "description": "Any JSON value.",
    "anyOf": [
        {"type": "null"},
        {"type": "boolean"},
        {"type": "number"},
        {"type": "string"},
        {"type": "array", "items": {"$ref": "#/$defs/Json"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/Json"}},
    ],
}
CLOSED = (
    "GraphFile", "Body", "Document", "DocumentBody", "NodeEntry", "Interface", "View", "Meta", "FileRecord",
    "Requires", "RunOptions",
)  # fmt: skip
"""Parts of a graph file, in which a key that nobody knows is an error."""
ANYWHERE = ("interface", "view", "meta", "requires", "graphs")
"""What a file leaves out where it is empty."""


def bundle() -> dict[str, Any]:
    """The bundle: `$defs/Document` is a graph file on the disk, the others are named as in the API's description."""
    adapters = [(name, "validation", TypeAdapter(getattr(wire, name))) for name in NAMED]
    roots, shared = TypeAdapter.json_schemas(adapters)  # type: ignore[arg-type]
    definitions = dict(shared["$defs"])
    for (name, _), root in roots.items():
        if root != {"$ref": f"#/$defs/{name}"}:
            definitions[str(name)] = root
    definitions |= _on_disk(definitions)
    plain = {name: _plain(definition) for name, definition in definitions.items()}
    for name in CLOSED:
        plain[name]["additionalProperties"] = False
    plain["Json"] = JSON
    return {
        "$schema": "https://json-wire.org/draft/2020-12/schema",
        "title": "hcpgraph",
        "description": "Graph files, node types, events, problems and every reply of the API.",
        "$defs": {name: plain[name] for name in sorted(plain)},
    }


def _on_disk(definitions: dict[str, Any]) -> dict[str, Any]:
    """`Document` and `DocumentBody`: as in the API, but parts that are empty may be missing."""
    document, body = deepcopy(definitions["GraphFile"]), deepcopy(definitions["Body"])
    for loose in (document, body):
        loose["required"] = [name for name in loose["required"] if name not in ANYWHERE]
        loose.pop("title", None)
    document["description"] = "A graph file on the disk: what is empty may be left out."
    body["description"] = "The body of a subgraph in a graph file."
    graphs = document["properties"]["graphs"]
    for place in (graphs, *graphs.get("patternProperties", {}).values()):
        if place.get("$ref") == "#/$defs/Body":
            place["$ref"] = "#/$defs/DocumentBody"
    for pattern, place in graphs.get("patternProperties", {}).items():
        graphs["patternProperties"][pattern] = {**place, "$ref": "#/$defs/DocumentBody"}
    return {"Document": document, "DocumentBody": body}


def _plain(value: Any) -> Any:
    """Without titles that only repeat names; forms of keys as `propertyNames`, which every tool reads."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("x-json"):
        return {"$ref": "#/$defs/Json", **{name: value[name] for name in ("description",) if name in value}}
    plain = {
        name: {key: _plain(item) for key, item in inner.items()} if name == "properties" else _plain(inner)
        for name, inner in value.items()
        if not (name == "title" and isinstance(inner, str))
    }
    patterns = plain.pop("patternProperties", None)
    if patterns:
        ((pattern, inner),) = patterns.items()
        plain |= {"additionalProperties": inner, "propertyNames": {"pattern": pattern}}
    return plain
