"""`hcpgraph trust`: which Python classes graphs may name."""

from __future__ import annotations

import click

from .common import Command, json_option, machine, said


@click.group("trust")
def command() -> None:
    """Say which Python classes graphs may name.

    Graphs from others can name a class of any installed package. It is imported only if it is on the list that comes
    with hcpgraph or on your own; a graph can never add to them.
    """


@command.command("list", cls=Command)
@json_option
def show_list(as_json: bool) -> None:
    """Show the shipped list and your own."""
    from .. import trust

    own, shipped = trust.added(), trust.shipped()
    if as_json:
        machine(
            {
                "own": own,
                "shipped": {kind: list(paths) for kind, paths in shipped.items()},
                "file": str(trust.user_file()),
            }
        )
        return
    for kind, paths in shipped.items():
        said(kind, bold=True)
        for path in paths:
            said(f"    {path}")
    said(f"your own ({trust.user_file()})", bold=True)
    for path in own or ["none"]:
        said(f"    {path}")


@command.command("add", cls=Command)
@click.argument("path", metavar="PACKAGE.MODULE:CLASS")
def add(path: str) -> None:
    """Let graphs name a class: its code will run with your rights. Nothing is imported now."""
    from .. import trust

    said(f"{path} is trusted now" if trust.add(path) else f"{path} was trusted already")


@command.command("remove", cls=Command)
@click.argument("path", metavar="PACKAGE.MODULE:CLASS")
def remove(path: str) -> None:
    """Take a class off your own list."""
    from .. import trust

    trust.remove(path)
    said(f"{path} is not trusted any more")
