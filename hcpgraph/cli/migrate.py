"""`hcpgraph migrate`: graph files with every node at its installed version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import GraphErrors
from .common import FILE, Command, pack_option, said, show

if TYPE_CHECKING:
    from ..document.graph import Graph


@click.command("migrate", cls=Command)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--check", is_flag=True, help="Rewrite nothing; exit code 2 if a file is out of date.")
@pack_option
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], check: bool, packs: tuple[Path, ...]) -> None:
    """Bring FILES up to date with the installed nodes, in place, and say what changed."""
    from ..declaring.manifest import load_migrations
    from ..declaring.registry import default_registry
    from ..document.migration import migrate_document
    from .canonical_files import open_json, rewrite

    registry = default_registry(packs)
    for pack in registry.packs.values():
        load_migrations(pack)
    versions = {id: spec.version for id, spec in registry.specs.items()}

    def migrated(path: Path) -> Graph | None:
        fresh, notes = migrate_document(open_json(path), versions)
        if any(note.severity == "error" for note in notes):
            raise GraphErrors(notes)
        if not notes:
            return None
        said(f"{path}:")
        for note in notes:
            show(note)
        return fresh

    ctx.exit(
        rewrite(files, migrated, check=check, done="brought up to date", stale="is out of date; run: hcpgraph migrate")
    )
