"""`hcpgraph validate`: every problem of a graph, without importing torch or a node."""

from __future__ import annotations

from pathlib import Path

import click

from .common import (
    FILE,
    Command,
    allow_write_option,
    json_option,
    pack_option,
    report,
    root_option,
    said,
    workspace_option,
)


@click.command("validate", cls=Command)
@click.argument("graph", type=FILE)
@json_option
@pack_option
@workspace_option
@root_option
@allow_write_option
@click.pass_context
def command(
    ctx: click.Context,
    graph: Path,
    as_json: bool,
    packs: tuple[Path, ...],
    workspace: Path | None,
    roots: dict[str, Path],
    allow_write: tuple[str, ...],
) -> None:
    """Check GRAPH and list every problem with its remedy; exit code 2 if one is an error.

    GRAPH is a .json file, or a picture or a weight file that carries a graph.
    """
    from ..api import validate

    problems = validate(graph, packs=packs, workspace=workspace, roots=roots, allow_write=allow_write)
    code = report(problems, as_json=as_json)
    if code == 0:
        said("the graph is valid" if not problems else "the graph can run", fg="green")
    ctx.exit(code)
