"""`hcpgraph doctor`: show what was found."""

from __future__ import annotations

from pathlib import Path

import click

from .common import FAILED, Command, json_option, machine, pack_option, said, workspace_option


@click.command("doctor", cls=Command)
@workspace_option
@pack_option
@json_option
@click.pass_context
def command(ctx: click.Context, workspace: Path | None, packs: tuple[Path, ...], as_json: bool) -> None:
    """Check versions, devices, disk, workspace, packs and extras; exit code 1 if something needed is missing."""
    from .installation import examine

    findings = examine(workspace, packs)
    needed = [finding for finding in findings if not finding.ok and finding.needed]
    if as_json:
        machine({"ok": not needed, "findings": [finding.to_json() for finding in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark, colour = ("ok", "green") if finding.ok else ("MISSING", "red") if finding.needed else ("-", "yellow")
            said(f"{mark:<8}", fg=colour, nl=False)
            said(f"{finding.name:<{width}}  {finding.value}")
            if finding.hint and not finding.ok:
                said(f"{'':8}{'':{width}}  -> {finding.hint}")
        said("something that is needed is missing" if needed else "all that is needed is there", bold=True)
    ctx.exit(FAILED if needed else 0)
