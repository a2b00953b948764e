"""Subgraph bodies of the shipped graphs: each stands once in `graphs/parts`, and its copies are written from there.

A part is a graph file of its own, so that the editor opens it; `NAME.json` is the body of every subgraph `NAME`.
"""

import json
from pathlib import Path
from typing import Any

from hcpgraph.document import loads
from hcpgraph.document.shipped import PARTS

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
BODY = ("interface", "nodes", "edges", "view")


def bodies() -> dict[str, dict[str, Any]]:
    """Name of a subgraph -> its body, as graph files have it."""
    found = {}
    for path in sorted((GRAPHS / PARTS).glob("*.json")):
        whole = json.loads(path.read_text("utf-8"))
        found[path.stem] = {name: whole[name] for name in BODY if name in whole}
    return found


def graphs() -> list[Path]:
    """The files that have copies."""
    return [path for path in sorted(GRAPHS.rglob("*.json")) if path.parent.name != PARTS]


def with_parts(text: str, parts: dict[str, dict[str, Any]]) -> str:
    """The text of a graph file with fresh copies; subgraphs that are no part stay as they are."""
    graph = json.loads(text)
    for name in graph.get("graphs", {}):
        graph["graphs"][name] = parts.get(name, graph["graphs"][name])
    return loads(json.dumps(graph)).dump()


def write() -> None:
    """Write the copies into all shipped graphs."""
    parts = bodies()
    for path in graphs():
        text = path.read_text("utf-8")
        if (fresh := with_parts(text, parts)) != text:
            path.write_text(fresh, "utf-8")
