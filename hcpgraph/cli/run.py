"""`hcpgraph run`: run a graph, or say what would run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import (
    CANCELLED,
    FAILED,
    FILE,
    FOLDER,
    Command,
    allow_write_option,
    json_option,
    machine,
    pack_option,
    report,
    root_option,
    workspace_option,
)
from .workspace import welcome

if TYPE_CHECKING:
    from ..document.graph import Graph
    from ..paths import Roots
    from ..running.options import Options
    from ..running.record import Result


@click.command("run", cls=Command)
@click.argument("graph", required=False, type=FILE)
@click.option("--set", "pairs", multiple=True, metavar="NODE.SETTING=VALUE", help="Change a setting; may be repeated.")
@click.option(
    "--target", "targets", multiple=True, metavar="NODE[.PORT]", help="Run only what this stands on; may be repeated."
)
@workspace_option
@click.option("--out", type=FOLDER, metavar="DIR", help="Folder that files are written to: the root 'out'.")
@root_option
@click.option("--dry-run", is_flag=True, help="Say what would run, and run nothing.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    metavar="[RUN]",
    help="Go on with trainings that were begun with other code, versions or lengths. Instead of GRAPH it takes an "
    "earlier run: its id, its folder, or 'last'.",
)
@click.option(
    "--force", multiple=True, metavar="NODE", help="Train this loop from the start ('*': all); may be repeated."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor keep results on disk.")
@click.option("--on-error", type=click.Choice(["stop", "continue"]), default="stop", show_default=True)
@click.option("--seed", type=int, help="Set every seed of the graph.")
@click.option("--device", help="auto, cpu, cuda, cuda:N or mps. [default: auto]")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    help="Of frozen weights. [default: the graph's]",
)
@pack_option
@click.option("--locked", is_flag=True, help="Refuse files that are not those the graph was made with.")
@allow_write_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    graph: Path | None,
    pairs: tuple[str, ...],
    targets: tuple[str, ...],
    workspace: Path | None,
    out: Path | None,
    roots: dict[str, Path],
    dry_run: bool,
    resume: str | None,
    force: tuple[str, ...],
    no_cache: bool,
    on_error: str,
    seed: int | None,
    device: str | None,
    precision: str | None,
    packs: tuple[Path, ...],
    locked: bool,
    allow_write: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run GRAPH: a .json file, or a picture or a weight file that carries a graph.

    Values of --set are JSON where the setting takes it, otherwise text. Ctrl-C stops after the step; the same call, or
    --resume last, goes on from there.
    """
    if (graph is None) == (not resume):
        raise click.UsageError("give either GRAPH or --resume RUN")
    if out is not None:
        roots = {**roots, "out": out}
    from ..declaring.registry import default_registry
    from ..document import load
    from ..running.options import Options
    from .given import parse_settings

    options = Options(
        targets=targets or None,
        workspace=workspace,
        roots=roots,
        packs=packs,
        seed=seed,
        device=device or "auto",
        precision=precision,
        locked=locked,
        allow_write=allow_write,
        force=force,
        resume=resume is not None,
        disk_cache=not no_cache,
        on_error=on_error,
    )
    if resume:
        from .resume import again

        opened, options = again(resume, options, device)
    else:
        assert graph is not None
        opened = load(graph)
    options = options.given(settings=parse_settings(pairs, opened, default_registry(options.packs)))
    if dry_run:
        from .dry_run import show_plan

        show_plan(opened, options, as_json=as_json)
        return
    result = perform(opened, options)
    welcome(workspace, roots)
    if as_json:
        machine(to_json(result, options.places))
    ctx.exit(finish(result, options.places))


def perform(graph: Graph, options: Options, *, brief: bool = False) -> Result:
    """Run with a display of its progress, see `progress.display`; Ctrl-C cancels it."""
    from ..api import run
    from .progress import display
    from .signals import stoppable

    with stoppable() as cancel, display(brief=brief) as shown:
        return run(graph, options, on_event=shown, cancel=cancel)


def finish(result: Result, places: Roots) -> int:
    """Tell what a run gave; returns its exit code."""
    from .summary import summary

    report(result.problems)
    summary(result, places)
    return {"done": 0, "failed": FAILED}.get(result.status, CANCELLED)


def to_json(result: Result, places: Roots) -> dict[str, Any]:
    """A result as JSON data; of the outputs those that are JSON themselves."""
    from .summary import real_path

    return {
        "id": result.id,
        "status": result.status,
        "seconds": round(result.seconds, 3),
        "ran": result.ran,
        "cached": result.cached,
        "skipped": result.skipped,
        "failed": {node: error.problem.to_json() for node, error in result.failed.items()},
        "outputs": {name: value for name, value in result.outputs.items() if _is_json(value)},
        "artifacts": [{**entry, "path": real_path(entry["uri"], places)} for entry in result.artifacts],
        "folder": str(result.folder) if result.folder else None,
        "problems": [problem.to_json() for problem in result.problems],
    }


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(item) for name, item in value.items())
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and value - value == 0)
