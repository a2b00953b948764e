"""Which modules of the engine a pack may import: the others move without a word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PUBLIC = frozenset(
    {
        "hcpgraph",
        "hcpgraph.atomic",
        "hcpgraph.checkpoints",
        "hcpgraph.context",
        "hcpgraph.data_report",
        "hcpgraph.declaring.sources",
        "hcpgraph.disk",
        "hcpgraph.errors",
        "hcpgraph.events",
        "hcpgraph.fingerprint",
        "hcpgraph.finite",
        "hcpgraph.generators",
        "hcpgraph.languages",
        "hcpgraph.paths",
        "hcpgraph.processes.commands",
        "hcpgraph.processes.parcel",
        "hcpgraph.processes.readers",
        "hcpgraph.rng",
        "hcpgraph.running.codec",
        "hcpgraph.running.detached",
        "hcpgraph.running.part",
        "hcpgraph.running.step",
        "hcpgraph.testing",
        "hcpgraph.trust",
        "hcpgraph.types",
        "hcpgraph.widgets",
    }
)
"""The engine's public modules."""


def private_imports(folder: Path) -> list[str]:
    """Imports of other modules of the engine in the Python files of a pack, as `file:line: module`.

    Imports for type checkers alone do not count.
    """
    return [
        f"{path.relative_to(folder).as_posix()}:{line}: {name}"
        for path in sorted(folder.rglob("*.py"))
        for line, name in _imports(ast.parse(path.read_bytes()))
        if name.partition(".")[0] == "hcpgraph" and name not in PUBLIC
    ]


def _imports(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        yield node.lineno, node.module
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)
