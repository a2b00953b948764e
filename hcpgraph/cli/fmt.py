"""`hcpgraph fmt`: graph files in their canonical form, every setting written out."""

from __future__ import annotations

from pathlib import Path

import click

from .common import FILE, Command, pack_option


@click.command("fmt", cls=Command)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--check", is_flag=True, help="Rewrite nothing; exit code 2 if a file is not canonical.")
@pack_option
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], check: bool, packs: tuple[Path, ...]) -> None:
    """Rewrite FILES in canonical form, in place.

    A setting that is left out is written with its present default, so that a later default cannot change the file.
    """
    from ..declaring.registry import default_registry
    from ..document.overrides import written_out
    from .canonical_files import open_json, rewrite

    registry = default_registry(packs)
    ctx.exit(
        rewrite(
            files,
            lambda path: written_out(open_json(path), registry),
            check=check,
            done="rewritten",
            stale="is not canonical; run: hcpgraph fmt",
        )
    )
