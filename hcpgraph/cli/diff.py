"""`hcpgraph diff`: what is different between two graphs, in the words of graphs and not of JSON lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import visible
from .common import FILE, Command, json_option, machine, said

if TYPE_CHECKING:
    from ..document.graph import Graph


@click.command("diff", cls=Command)
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@json_option
def command(old: Path, new: Path, as_json: bool) -> None:
    """Show what is different between the graphs OLD and NEW: what changes a run first, what only looks different last.

    With git: git difftool -x 'hcpgraph diff' -- '*.json'
    """
    from ..document.diff import diff, lines

    changes = diff(_open(old), _open(new))
    if as_json:
        machine({"same": not changes, "changes": [change.to_json() for change in changes]})
        return
    if not changes:
        said("no difference")
    for line in lines(changes):
        click.echo(visible(line))


def _open(path: Path) -> Graph:
    """A graph; the null device, which git gives for a file that is not there, is an empty one."""
    from ..document import load
    from ..document.graph import Graph

    return Graph() if os.fspath(path) in (os.devnull, "/dev/null") else load(path)
