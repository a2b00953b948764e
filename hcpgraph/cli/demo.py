"""`hcpgraph demo`: train a LoRA on real pictures, then generate with it; the same job as `make demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from .common import Command, said, workspace_option
from .workspace import welcome

GRAPHS = ("quickstart/train_lora", "quickstart/generate")


@click.command("demo", cls=Command)
@workspace_option
@click.pass_context
def command(ctx: click.Context, workspace: Path | None) -> None:
    """Train a LoRA for the small model that ships on OpenMoji pictures, draw with it, and say what to do next."""
    from ..extras import need

    need("demo")
    from ..document import load
    from ..document.templates import find
    from ..running.options import Options
    from .common import report
    from .run import finish, perform
    from .summary import real_path

    welcome(workspace, {})
    found = [find(name) for name in GRAPHS]
    wrote: dict[str, str] = {}
    for number, template in enumerate(found, 1):
        said(f"{number} of {len(found)}: {template.title}", bold=True)
        options = Options(workspace=workspace, precision="fp32")
        result = perform(load(template.path), options, brief=True)
        if result.status != "done":
            ctx.exit(finish(result, options.places))
        report(result.problems)
        wrote |= {entry["type"]: real_path(entry["uri"], options.places) for entry in result.artifacts}
    said(f"the LoRA: {_near(wrote['weights'])}")
    said(f"the picture: {_near(wrote['image'])}", bold=True)
    place = "" if workspace is None else f" --workspace {shlex.quote(str(workspace))}"
    said(f"""draw others: {_program()} run {_near(str(found[1].path))}{place} --set prompts='["black cat"]'""")
    said(f"the editor: {_program()} serve{place}")


def _program() -> str:
    """How this program is called from where the person is: by its name only where that is on the path."""
    own = Path(sys.argv[0])
    if shutil.which("hcpgraph") is not None or own.name not in ("hcpgraph", "hcpgraph.exe"):
        return "hcpgraph"
    return _near(str(own))


def _near(path: str) -> str:
    """A path from here, if it lies below, as a shell takes it."""
    place = Path(path)
    here = Path.cwd()
    return shlex.quote(str(place.relative_to(here) if place.is_relative_to(here) else place))
