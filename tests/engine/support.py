"""Short forms for tests of the engine."""

import sys
from pathlib import Path
from typing import Any

import hcpgraph
from hcpgraph.document.fileformat import NodeEntry
from hcpgraph.errors import Problem
from hcpgraph.importing import folder_module, import_module
from hcpgraph.testing import FOLDER

PACKS = Path(__file__).resolve().parents[1] / "packs" / "engine_pack"
ALL = [FOLDER, PACKS]


def graph(nodes: dict[str, Any], edges: dict[str, str] | None = None, **more: Any) -> hcpgraph.Graph:
    """A graph from `{id: "type"}` or `{id: ("type", {settings}, region)}` and `{target: source}`."""
    g, registry = hcpgraph.Graph(**more), hcpgraph.default_registry()
    for id, what in nodes.items():
        type_id, settings, inside = (*((what,) if isinstance(what, str) else what), None, None)[:3]
        spec = registry.find(type_id)
        version = 1 if spec is None else spec.version
        g.nodes[id] = NodeEntry(type=type_id, version=version, settings=settings or {}, inside=inside)
    g.edges = dict(edges or {})
    return g


def problems(g: hcpgraph.Graph, **options: Any) -> list[Problem]:
    """What validation says; the packs themselves are sound."""
    return hcpgraph.validate(g, packs=ALL, workspace=options.pop("workspace", Path("/nonexistent")), **options)


def codes(g: hcpgraph.Graph, **options: Any) -> list[tuple[str, str]]:
    """(code, node.port) of every problem."""
    return [(problem.code, problem.where) for problem in problems(g, **options)]


def run(g: hcpgraph.Graph, workspace: Path, **options: Any) -> Any:
    return hcpgraph.run(g, packs=ALL, workspace=workspace, **options)


def module(name: str) -> Any:
    """The module of a test pack, as the engine imported it."""
    hcpgraph.default_registry(ALL)
    path = PACKS / f"{name}.py"
    return sys.modules.get(folder_module(path)) or import_module(folder_module(path), str(path))
