"""`hcpgraph schema`: one JSON Schema bundle of graph files, node types, events, problems and the API."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .common import FILE, Command, machine, said


@click.command("schema", cls=Command)
@click.option("--out", type=FILE, metavar="FILE", help="Write it to FILE instead of stdout.")
def command(out: Path | None) -> None:
    """Print the JSON Schema bundle; `$defs/Document` describes a graph file."""
    from ..server.schema.bundle import bundle

    if out is None:
        machine(bundle())
        return
    from ..atomic import write_text

    write_text(out, json.dumps(bundle(), indent=2) + "\n")
    said(f"{out}: written")
