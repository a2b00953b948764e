"""`hcpgraph demo`: train a LoRA on real pictures, then generate with it; the same job as `make demo`."""

from __future__ import annotations

from pathlib import Path

import click

from .common import Command, said, workspace_option

GRAPHS = ("quickstart/train_lora", "quickstart/generate")


@click.command("demo", cls=Command)
@workspace_option
@click.pass_context
def command(ctx: click.Context, workspace: Path | None) -> None:
    """Train a small model and a LoRA on OpenMoji pictures, generate with it, and say where the results are."""
    from ..extras import need

    need("demo")
    from ..document import load
    from ..document.templates import find
    from ..running.options import Options
    from .run import finish, perform

    found = [find(name) for name in GRAPHS]
    for number, template in enumerate(found, 1):
        said(f"{number} of {len(found)}: {template.title}", bold=True)
        options = Options(workspace=workspace, precision="fp32")
        code = finish(perform(load(template.path), options), options.places)
        if code:
            ctx.exit(code)
    said(f"the graphs are {' and '.join(str(template.path) for template in found)}", bold=True)
