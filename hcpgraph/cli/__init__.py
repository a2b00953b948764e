"""The command line: one small module a command, imported when it is asked for.

Exit codes: 0 done, 1 the run failed, 2 the graph or the call is wrong, 130 cancelled. Text for people goes to stderr,
machine output (`--json`) to stdout.
"""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "run": "Run a graph.",
    "serve": "Open the editor in the browser.",
    "validate": "Check a graph and list every problem.",
    "check": "Say what a graph would train on.",
    "fmt": "Write graph files in their canonical form.",
    "diff": "Show what is different between two graphs.",
    "migrate": "Bring graph files up to date with the installed nodes.",
    "nodes": "List the node types, or show one.",
    "explain": "Say what an error code means and what to do.",
    "inspect": "Show what a graph, a picture or a weight file holds.",
    "layers": "Show which layers of a model a selector matches.",
    "convert": "Write an adapter file in another program's layout.",
    "templates": "List the graphs that come with hcpgraph.",
    "new": "Make a graph file from a template, or an empty one.",
    "demo": "Train a LoRA on real pictures and generate with it.",
    "schema": "Print the JSON Schema of graph files and of the API.",
    "trust": "Say which Python classes graphs may name.",
    "doctor": "Check this installation.",
}


class Commands(click.Group):
    """Imports the module of a command only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from ..version import __version__

        click.echo(__version__)
        ctx.exit()


@click.group("hcpgraph", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """A typed node-graph engine that trains and runs diffusion models."""
