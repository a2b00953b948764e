"""A graph as the editor gets it: brought up to date, defaults written out, canonical. Runs in a helper process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from ...checking.analyse import analyse
from ...declaring.manifest import load_migrations
from ...declaring.registry import Registry, default_registry
from ...document import MAX_BYTES, embed, load, loads
from ...document.graph import Graph
from ...document.migration import migrate_document
from ...document.overrides import written_out
from ...errors import GraphErrors, Problem
from ...fingerprint import stamp
from ...paths import Roots
from .capabilities import capabilities
from .validate import Packs, content_hash, submitted, told

Need = Literal["models", "data"]
NEEDED: tuple[Need, ...] = get_args(Need)
FILLED: dict[str, Any] = {"meta": {}, "requires": {}, "interface": {}, "graphs": {}, "view": {}}
"""What the canonical text leaves out where it is empty, and the editor always finds."""


def opened(graph: Graph, registry: Registry, *, name: str | None = None, etag: str | None = None) -> dict[str, Any]:
    """The reply for a graph; its problems are what had to be changed to open it."""
    graph, notes = up_to_date(graph, registry)
    graph = written_out(graph, registry)
    text = graph.dump()
    value = FILLED | json.loads(text)
    for body in value["graphs"].values():
        body |= {part: body.get(part, {}) for part in ("interface", "view")}
    return {
        "graph": value,
        "text": text,
        "hash": content_hash(graph, registry),
        "name": name,
        "etag": etag,
        "problems": told(notes),
    }


def up_to_date(graph: Graph, registry: Registry) -> tuple[Graph, list[Problem]]:
    """The graph with every node at its installed version, and notes about what was changed."""
    notes: list[Problem] = []
    for pack in registry.packs.values():
        try:
            load_migrations(pack)
        except GraphErrors as errors:
            notes += errors.problems
    fresh, changes = migrate_document(graph, {id: spec.version for id, spec in registry.specs.items()})
    return fresh, [*notes, *changes]


def formatted(data: bytes, packs: Packs) -> str:
    """The reply of /api/format as JSON text.

    Raises:
        GraphErrors: the body or its graph is malformed.
    """
    return json.dumps(opened(submitted(data).graph, default_registry(packs)))


def from_file(path: Path, packs: Packs, name: str | None = None) -> str:
    """The graph of a JSON file; with a `name` its etag too.

    Raises:
        GraphErrors: E_NOT_FOUND, or what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise GraphErrors.one("E_NOT_FOUND", f"there is no graph '{name or path.stem}'") from None
    etag = etag_of(data) if name is not None else None
    return json.dumps(opened(loads(data), default_registry(packs), name=name, etag=etag))


def imported(source: bytes | Path, roots: Roots, packs: Packs) -> str:
    """The graph in bytes or in a file: JSON, a picture, or a weight file of which the head is enough.

    Raises:
        GraphErrors: there is no graph in it, or it is malformed.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            graph, kind = _carried(file)
    else:
        graph, kind = _carried(BytesIO(source))
    registry = default_registry(packs)
    reply = opened(graph, registry)
    graph = loads(reply["text"])
    touched = capabilities(analyse(graph, registry, roots), roots)
    return json.dumps({**reply, "capabilities": touched, "source": kind})


def capable(data: bytes, roots: Roots, packs: Packs) -> str:
    """The reply of /api/capabilities as JSON text.

    Raises:
        GraphErrors: the body or its graph is malformed.
    """
    return json.dumps(capabilities(analyse(submitted(data).graph, default_registry(packs), roots), roots))


def prepared(data: bytes, packs: Packs, name: str) -> tuple[str, str, dict[str, Any]]:
    """A graph that is to be saved under a name: its text, the reply as JSON text, and what else the body said.

    Raises:
        GraphErrors: the body or its graph is malformed.
    """
    sent = submitted(data)
    reply = opened(sent.graph, default_registry(packs), name=name)
    reply["etag"] = etag_of(reply["text"].encode())
    return reply["text"], json.dumps(reply), dict(sent.fields)


@dataclass(frozen=True)
class Kept:
    """What a list says of a graph file.

    Args:
        title, description: From the file; empty where it cannot be read.
        uses: The node types in it and in its subgraphs, sorted.
        needs: Of `models` and `data`, whose files its settings name.
    """

    title: str = ""
    description: str = ""
    uses: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()


def kept(paths: dict[str, Path]) -> dict[str, Kept]:
    """What a list says of graph files, by name."""
    return {name: _kept(path) for name, path in paths.items()}


def etag_of(data: bytes) -> str:
    """Names the content of a file, so that nobody overwrites what somebody else has saved meanwhile."""
    return hashlib.sha256(data).hexdigest()[:32]


def _carried(file: BinaryIO) -> tuple[Graph, str]:
    head = file.read(4)
    file.seek(0)
    text = embed.read(file)
    if text is None:
        return loads(file.read(MAX_BYTES + 1)), "json"
    return loads(text), "png" if head == b"\x89PNG" else "safetensors"


def _kept(path: Path) -> Kept:
    try:
        return _looked_at(path, stamp(path))
    except OSError:
        return Kept()


@lru_cache(maxsize=10_000)
def _looked_at(path: Path, stamped: str) -> Kept:
    try:
        graph = load(path)
    except GraphErrors:
        return Kept()
    nodes = [node for body in (graph, *graph.graphs.values()) for node in body.nodes.values()]
    texts = [text for node in nodes for text in _texts(node.settings)]
    return Kept(
        graph.meta.title or "",
        graph.meta.description or "",
        tuple(sorted({node.type for node in nodes if not node.type.startswith("graph:")})),
        tuple(root for root in NEEDED if any(text.startswith(f"{root}:") for text in texts)),
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
