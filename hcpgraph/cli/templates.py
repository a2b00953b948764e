"""`hcpgraph templates`: the graphs that come with hcpgraph."""

from __future__ import annotations

import click

from .common import Command, json_option, machine, said


@click.command("templates", cls=Command)
@json_option
def command(as_json: bool) -> None:
    """List the graphs that come with hcpgraph; `hcpgraph new NAME` copies one."""
    from ..document.templates import templates

    found = templates()
    if as_json:
        machine(
            [
                {"name": item.name, "title": item.title, "description": item.description, "path": str(item.path)}
                for item in found
            ]
        )
        return
    for item in found:
        said(item.name, bold=True)
        said(f"    {item.title}")
        if item.description:
            said(click.wrap_text(item.description, width=96, initial_indent="    ", subsequent_indent="    "))
        said(f"    {item.path}")
