"""Graph files that a command rewrites in place: read as JSON only, compared with what is there, replaced at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..document import embed, load
from ..document.graph import Graph
from ..errors import GraphErrors
from .common import WRONG, report, said


def open_json(path: Path) -> Graph:
    """The graph in a JSON file; pictures and weight files are refused, because they would be overwritten.

    Raises:
        GraphErrors: E_FILE, or what is wrong with the graph.
    """
    if path.is_file():
        with path.open("rb") as file:
            try:
                carries = embed.read(file) is not None
            except GraphErrors:
                carries = True
        if carries:
            hint = "take the graph out of it first: hcpgraph new FILE NAME.json"
            raise GraphErrors.one("E_FILE", f"{path} is a picture or a weight file, which is not rewritten", hint=hint)
    return load(path)


def rewrite(
    paths: Iterable[Path], changed: Callable[[Path], Graph | None], *, check: bool, done: str, stale: str
) -> int:
    """Rewrite every file that would come out different; returns the exit code.

    Args:
        paths: The files; one that is broken does not disturb the others.
        changed: Reads a file and gives the graph that it should hold, or None to leave it alone; raises GraphErrors.
        check: Only say which files would be rewritten.
        done: What is said of a file that was rewritten.
        stale: What is said of a file that would be.
    """
    code = 0
    for path in paths:
        try:
            graph = changed(path)
            if graph is None or graph.dump().encode() == path.read_bytes():
                continue
            if check:
                said(f"{path}: {stale}", fg="yellow")
                code = WRONG
                continue
            graph.save(path)
            said(f"{path}: {done}")
        except GraphErrors as errors:
            said(f"{os.fspath(path)}:")
            code = report(errors.problems, fallback=WRONG)
    return code
