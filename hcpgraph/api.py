"""The Python face of the engine: `validate`, `plan` and `run`. The CLI, the server and the tests are thin over it.

What only planning and running need is imported there: a check takes about half a second, most of it imports.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from .checking.analyse import Analysis, analyse, default_roots
from .declaring.registry import Registry, default_registry
from .document.graph import Graph
from .document.reading import load
from .errors import GraphErrors, Problem, did_you_mean
from .paths import Roots

if TYPE_CHECKING:
    from .fingerprint import Fingerprints
    from .planning.plan import Plan
    from .running.options import Given, Options
    from .running.record import Result

GraphLike = Graph | str | os.PathLike[str]


def open_graph(graph: GraphLike) -> Graph:
    """A graph object from itself, a file, a picture or a weight file."""
    return graph if isinstance(graph, Graph) else load(graph)


def validate(
    graph: GraphLike,
    *,
    packs: Iterable[str | Path] = (),
    workspace: str | Path | None = None,
    roots: Mapping[str, Path] | None = None,
    files: bool = False,
    allow_write: Iterable[str] = (),
) -> list[Problem]:
    """Every problem of a graph, errors and warnings, without importing torch or a single node.

    Args:
        files: Whether a missing input file is an error.
        allow_write: As `run` has it.
    """
    registry = default_registry(packs)
    checked = analyse(open_graph(graph), registry, default_roots(workspace, roots, allow_write), files=files)
    return [*checked.problems, *registry.problems]


def checked(graph: Graph, registry: Registry, roots: Roots, targets: Iterable[str] | None = None) -> Analysis:
    """The analysis of a graph that is about to run, or of the part that targets need.

    Raises:
        GraphErrors: it has errors.
    """
    found = analyse(graph, registry, roots, files=True, targets=targets)
    if found.errors:
        raise GraphErrors([*found.errors, *registry.problems])
    return found


def plan(graph: GraphLike, options: Options | None = None, **given: Unpack[Given]) -> Plan:
    """What `run` would do. Files whose hash is not remembered make their keys unknown; nothing is read or imported.

    Args:
        graph: A graph, or the path of a file that holds one.
        options: How it would be run.
        given: Fields of `Options`, over those of `options`.

    Raises:
        GraphErrors: the graph or the call is wrong, or a target does not exist.
    """
    from .document.overrides import with_settings
    from .running.options import Options

    asked = (options or Options()).given(**given)
    registry = default_registry(asked.packs)
    changed = with_settings(
        open_graph(graph), asked.settings or {}, registry, seed=asked.seed, precision=asked.precision
    )
    return _planned(
        checked(changed, registry, asked.places, asked.targets), asked, _prints(asked.places), known_only=True
    )


def run(graph: GraphLike, options: Options | None = None, **given: Unpack[Given]) -> Result:
    """Run a graph: `hcpgraph.run("graph.json", settings={"train.steps": 500}, seed=3)`.

    Args:
        graph: A graph, or the path of a file that holds one.
        options: How it is run.
        given: Fields of `Options`, over those of `options`.

    Raises:
        GraphErrors: the graph or the call is wrong; nothing was run or written.
    """
    from .device import pick_device
    from .document.overrides import with_settings
    from .document.required_files import locate
    from .planning.begun import settled
    from .running.options import Options
    from .running.record import execute

    asked = (options or Options()).given(**given)
    registry, places = default_registry(asked.packs), asked.places
    changed = with_settings(
        open_graph(graph), asked.settings or {}, registry, seed=asked.seed, precision=asked.precision
    )
    changed, notes = locate(changed, places, locked=asked.locked)
    if any(note.severity == "error" for note in notes):
        raise GraphErrors(notes)
    prints = _prints(places)
    analysis = checked(changed, registry, places, asked.targets)
    _check_force(asked.forced, analysis)
    prepared = settled(_planned(analysis, asked, prints), places, resume=asked.resume, force=asked.forced)
    result = execute(prepared, places, prints, asked, device=pick_device(asked.device))
    result.problems[:0] = [*analysis.problems, *notes, *registry.problems]
    return result


def _planned(analysis: Analysis, asked: Options, prints: Fingerprints, *, known_only: bool = False) -> Plan:
    from .device import pick_device
    from .planning.begun import planned

    return planned(
        analysis,
        asked.places,
        targets=asked.targets,
        device=pick_device(asked.device),
        precision=analysis.graph.run.precision,
        seed=analysis.graph.run.seed,
        fingerprints=prints,
        known_only=known_only,
        force=asked.forced,
    )


def _prints(places: Roots) -> Fingerprints:
    from .fingerprint import Fingerprints

    return Fingerprints(places.root("cache") / "fingerprints.sqlite")


def _check_force(force: frozenset[str], analysis: Analysis) -> None:
    loops = [id for id, node in analysis.flat.nodes.items() if node.spec is not None and node.spec.resumes]
    unknown = sorted(force - {"*", *loops})
    if unknown:
        problems = [
            Problem("E_FORCE", f"'{name}' is no training loop", name, hint=did_you_mean(name, loops, "training loops"))
            for name in unknown
        ]
        raise GraphErrors(problems)
