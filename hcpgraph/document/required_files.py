"""`requires.files`: which files a graph read, and finding them again by their content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import GraphError, Problem
from ..fingerprint import Fingerprints, files_below
from ..paths import Roots
from .fileformat import FileRecord
from .graph import Graph


def with_requirements(graph: Graph, files: Mapping[str, Mapping[str, Any]]) -> Graph:
    """A copy that names the files a run read, with hash and size (`Keys.files`); where to fetch one stays known."""
    changed = graph.copy()
    old = changed.requires.files
    changed.requires.files = {
        uri: FileRecord(**record, hub=old[uri].hub if uri in old else None) for uri, record in sorted(files.items())
    }
    return changed


def locate(graph: Graph, roots: Roots, *, locked: bool = False) -> tuple[Graph, list[Problem]]:
    """Find the required files: by name, else by hash in the workspace.

    Returns the graph with the settings of moved files rewritten, and notes: W_FILE_MOVED for those, W_FILE_CHANGED
    (an error E_FILE_CHANGED if `locked`) for files of the same name with other content.
    """
    if not graph.requires.files:
        return graph, []
    prints = Fingerprints(roots.root("cache") / "fingerprints.sqlite")
    notes: list[Problem] = []
    moved: dict[str, str] = {}
    for uri, record in graph.requires.files.items():
        try:
            path = roots.resolve(uri)
        except GraphError as error:
            if error.problem.code == "E_NOT_FOUND" and (found := search(uri, record, roots, prints)) is not None:
                moved[uri] = found
                notes.append(Problem("W_FILE_MOVED", f"'{uri}' is here as '{found}'", severity="warning"))
            continue
        if prints.of(path) != record.sha256:
            notes.append(
                Problem(
                    "E_FILE_CHANGED" if locked else "W_FILE_CHANGED",
                    f"'{uri}' is not the file that the graph was made with: its sha256 differs",
                    hint="get the original file, or run without --locked",
                    severity="error" if locked else "warning",
                )
            )
    if not moved:
        return graph, notes
    changed = graph.copy()
    for _, body in changed.bodies():
        for node in body.nodes.values():
            for name, value in node.settings.items():
                if isinstance(value, str) and value in moved:
                    node.settings[name] = moved[value]
    return changed, notes


def search(uri: str, record: FileRecord, roots: Roots, prints: Fingerprints, *, known_only: bool = False) -> str | None:
    """A file of the same content below the same root; with `known_only` among those whose hash is remembered."""
    name = uri.partition(":")[0]
    if name not in roots.names() or record.count is not None:
        return None
    root = roots.root(name)
    suffix = Path(uri).suffix
    for path in files_below(root) if root.is_dir() else ():
        fits = path.suffix == suffix and (record.size is None or path.stat().st_size == record.size)
        if fits and prints.of(path, known_only=known_only) == record.sha256:
            return roots.uri(path)
    return None
