"""`hcpgraph new`: a graph file to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ..errors import GraphErrors
from .common import FILE, Command, said


@click.command("new", cls=Command)
@click.argument("name")
@click.argument("file", required=False, type=FILE)
@click.option("--empty", is_flag=True, help="Make an empty graph with the title NAME instead of copying a template.")
def command(name: str, file: Path | None, empty: bool) -> None:
    """Copy the template NAME to FILE, by default into the current folder; a file that is there is kept.

    NAME may also be a picture or a weight file: then the graph that it carries is taken out.
    """
    from ..document import load
    from ..document.graph import Graph
    from ..document.templates import find

    if empty:
        graph = Graph()
        graph.meta.title = name
        target = file or Path(f"{Path(name).name}.json")
        _refuse_existing(target)
        graph.save(target)
    elif Path(name).is_file():
        target = file or Path(name).with_suffix(".json")
        _refuse_existing(target)
        load(name).save(target)
    else:
        template = find(name)
        source = template.path
        if template.notice:
            said(template.notice)
        target = file or Path(source.name)
        _refuse_existing(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError as error:
            raise GraphErrors.one("E_FILE", f"{target}: {error.strerror or error}") from None
    said(f"made {target}; run it with: hcpgraph run {target}")


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise GraphErrors.one("E_FILE", f"{target} is there already", hint="name another file: hcpgraph new NAME FILE")
