"""What a run gave, for people: written files, failures, time, cached nodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..errors import GraphError, visible
from .common import said, show
from .progress import duration

if TYPE_CHECKING:
    from ..paths import Roots
    from ..running.record import Result

WIDE = 4096
"""Columns where nobody looks at a terminal: paths stay whole."""


def real_path(uri: str, places: Roots) -> str:
    """Where `root:relative` lies on this machine; a file outside of every root keeps its name."""
    try:
        return str(places.resolve(uri, must_exist=False))
    except GraphError:
        return uri


def summary(result: Result, places: Roots) -> None:
    """The table of written files and the last line."""
    if result.artifacts:
        from rich import box
        from rich.console import Console
        from rich.table import Column, Table
        from rich.text import Text

        table = Table("node", "type", Column("file", overflow="fold"), box=box.SIMPLE)
        for entry in result.artifacts:
            kind = entry["type"] + (" (from the cache)" if entry.get("cached") else "")
            kind += " (not finite)" if entry.get("not_finite") else ""
            table.add_row(Text(entry["node"]), kind, Text(visible(real_path(entry["uri"], places))))
        Console(stderr=True, width=None if sys.stderr.isatty() else WIDE).print(table)
    for error in result.failed.values():
        show(error.problem)
    parts = [f"{len(result.ran)} ran"]
    parts += [f"{len(result.cached)} from the cache"] if result.cached else []
    parts += [f"{len(result.failed)} failed"] if result.failed else []
    parts += [f"{len(result.skipped)} left out"] if result.skipped else []
    colour = {"done": "green", "failed": "red"}.get(result.status, "yellow")
    said(f"{result.status} in {duration(result.seconds)}: {', '.join(parts)}", fg=colour)
    if result.status != "done" and result.folder is not None:
        said(f"its record: {result.folder}")
    if result.status == "cancelled":
        said(f"to go on: hcpgraph run --resume {result.folder or 'last'}")
