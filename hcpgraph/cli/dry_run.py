"""`hcpgraph run --dry-run`: what would run, how often, and what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GraphErrors
from .common import machine, report, said

if TYPE_CHECKING:
    from ..document.graph import Graph
    from ..running.options import Options

WORDS = {
    "runs": "runs",
    "cached": "from the cache",
    "unknown": "unknown: what it reads has not been hashed yet",
    "perhaps": "perhaps: a branch that is chosen during the run",
}


def show_plan(graph: Graph, options: Options, *, as_json: bool) -> None:
    """Plan a run and print it, with what the run itself would ask first.

    Raises:
        GraphErrors: the graph or the call is wrong.
    """
    from ..api import plan
    from ..document.required_files import locate
    from ..planning.begun import questions, settled
    from ..running.forecast import plan_rows

    places = options.places
    graph, notes = locate(graph, places, locked=options.locked)
    if any(note.severity == "error" for note in notes):
        raise GraphErrors(notes)
    found = plan(graph, options)
    rows = list(plan_rows(found, places, disk=options.disk_cache, force=options.forced))
    problems = [*found.analysis.problems, *notes, *found.analysis.registry.problems]
    if options.resume:
        try:
            settled(found, places, resume=True, force=options.forced)
        except GraphErrors as errors:
            problems += errors.problems
    else:
        problems += questions(found, places, options.forced)
    if as_json:
        told = [problem.to_json() for problem in problems]
        machine({"targets": found.targets, "nodes": [row.to_json() for row in rows], "problems": told})
    report(problems)
    width = max((len(row.node) for row in rows), default=0)
    for row in rows:
        often = f"every step of {row.inside}" if row.inside else "once"
        done = f", its checkpoint has {row.checkpoint} steps" if row.checkpoint is not None else ""
        said(f"{row.node:<{width}}  {row.type:<24}  {often:<24}  {WORDS[row.state]}{done}")
    number = sum(row.state != "cached" and row.inside is None for row in rows)
    said(f"{number} of {sum(row.inside is None for row in rows)} nodes would run once or as a loop; nothing was run")
