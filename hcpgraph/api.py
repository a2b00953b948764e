"""The Python face of the engine: `validate`, `plan` and `run`. The CLI, the server and the tests are thin over it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from .atomic import write_text
from .checking.analyse import Analysis, analyse, default_roots
from .context import RunState
from .declaring.registry import Registry, default_registry
from .declaring.sources import ENVIRONMENT
from .device import pick_device
from .document.graph import Graph
from .document.overrides import with_settings
from .errors import Cancelled, GraphError, GraphErrors, Problem, did_you_mean
from .events import EventLog, Listener
from .fingerprint import Fingerprints
from .paths import Roots
from .planning.begun import planned, settled
from .planning.plan import Plan
from .requests import Requests
from .running.cache import Cache, DiskCache
from .version import __version__, package_version

GraphLike = Graph | str | os.PathLike[str]
OnValue = Callable[[str, Mapping[str, Any]], None]


@dataclass
class Result:
    """What a run gave.

    Attributes:
        status: `done`, `failed` or `cancelled`.
        outputs: Values by `node.port`, or by the name of an interface output.
        ran, cached: Ids of nodes at the top, in order.
        failed: Node -> error.
        skipped: Nodes that stand on a failed one.
        artifacts: Files that were written: node, uri, type.
        folder: The run's folder with run.json and events.jsonl; None if nothing was recorded.
    """

    id: str
    status: str
    outputs: dict[str, Any]
    ran: list[str]
    cached: list[str]
    failed: dict[str, GraphError]
    skipped: list[str]
    artifacts: list[dict[str, Any]]
    seconds: float
    folder: Path | None
    problems: list[Problem] = field(default_factory=list)


def open_graph(graph: GraphLike) -> Graph:
    """A graph object from itself, a file, a picture or a weight file."""
    if isinstance(graph, Graph):
        return graph
    from .document import load

    return load(graph)


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


def checked(graph: Graph, registry: Registry, roots: Roots) -> Analysis:
    """The analysis of a graph that is about to run.

    Raises:
        GraphErrors: it has errors.
    """
    found = analyse(graph, registry, roots, files=True)
    if found.errors:
        raise GraphErrors([*found.errors, *registry.problems])
    return found


def plan(
    graph: GraphLike,
    *,
    targets: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    workspace: str | Path | None = None,
    packs: Iterable[str | Path] = (),
    roots: Mapping[str, Path] | None = None,
    seed: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    allow_write: Iterable[str] = (),
) -> Plan:
    """What `run` would do. Files whose hash is not remembered make their keys unknown; nothing is read or imported.

    Raises:
        GraphErrors: the graph has errors, or a target does not exist.
    """
    registry = default_registry(packs)
    places = default_roots(workspace, roots, allow_write)
    changed = with_settings(open_graph(graph), settings or {}, registry, seed=seed, precision=precision)
    prints = Fingerprints(places.root("cache") / "fingerprints.sqlite")
    return planned(
        checked(changed, registry, places),
        places,
        targets=targets,
        device=pick_device(device),
        precision=changed.run.precision,
        seed=changed.run.seed,
        fingerprints=prints,
        known_only=True,
    )


def run(
    graph: GraphLike,
    *,
    targets: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    workspace: str | Path | None = None,
    packs: Iterable[str | Path] = (),
    roots: Mapping[str, Path] | None = None,
    cache: Cache | None = None,
    disk_cache: bool = True,
    on_error: str = "stop",
    on_event: Listener | None = None,
    seed: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    force: Iterable[str] = (),
    resume: bool = False,
    locked: bool = False,
    allow_write: Iterable[str] = (),
    record: bool = True,
    cancel: threading.Event | None = None,
    requests: Requests | None = None,
    run_id: str | None = None,
    on_value: OnValue | None = None,
) -> Result:
    """Run a graph.

    Args:
        graph: A graph, or the path of a file that holds one.
        targets: Nodes or `node.port`s; by default everything that writes or feeds nothing.
        settings: `node.setting` -> value, over what the graph says.
        workspace: Folder of the named roots; by default `workspace` below the current folder.
        packs: Folders with further nodes.
        roots: Root name -> folder, over those of the workspace.
        cache: Results to share between runs of this process.
        disk_cache: Whether results are read from and kept on disk. Checkpoints of training loops are kept anyway.
        on_error: `stop`, or `continue` with what does not stand on the failed node.
        on_event: Called with every event.
        seed: Sets every seed of the root graph, and the run's own.
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `mps`.
        precision: Of frozen weights and inference: fp32, bf16 or fp16; by default what the graph says.
        force: Training loops that start again although a checkpoint fits.
        resume: Whether training loops go on from checkpoints that were made with other code or versions.
        locked: Whether a required file of other content is an error.
        allow_write: Roots below which nodes may write besides `out:` (and new weights in `models:`), such as `data`.
        record: Whether runs/<id> is written.
        cancel: Set it from another thread to stop at the next safe place.
        requests: What is asked of a training loop while it runs, from another thread.
        run_id: Name of the run and of its folder; by default made of the time.
        on_value: Called with the id of every node at the top that ran, and its outputs by name.

    Raises:
        GraphErrors: the graph or the call is wrong; nothing was run or written.
    """
    registry = default_registry(packs)
    places = default_roots(workspace, roots, allow_write)
    _check_call(on_error)
    changed = with_settings(open_graph(graph), settings or {}, registry, seed=seed, precision=precision)
    from .document.required_files import locate

    changed, notes = locate(changed, places, locked=locked)
    if any(note.severity == "error" for note in notes):
        raise GraphErrors(notes)
    prints = Fingerprints(places.root("cache") / "fingerprints.sqlite")
    analysis = checked(changed, registry, places)
    force = frozenset(force)
    _check_force(force, analysis)
    chosen = pick_device(device)
    prepared = planned(
        analysis,
        places,
        targets=targets,
        device=chosen,
        precision=changed.run.precision,
        seed=changed.run.seed,
        fingerprints=prints,
        force=force,
    )
    prepared = settled(prepared, places, resume=resume, force=force)
    return execute(
        prepared,
        places,
        registry,
        prints,
        cache=cache,
        disk=DiskCache(places.root("cache")) if disk_cache else None,
        on_error=on_error,
        on_event=on_event,
        device=chosen,
        force=force,
        record=record,
        cancel=cancel or threading.Event(),
        requests=requests or Requests(),
        run_id=run_id,
        on_value=on_value,
        problems=[*analysis.problems, *notes, *registry.problems],
    )


def execute(
    prepared: Plan,
    places: Roots,
    registry: Registry,
    prints: Fingerprints,
    *,
    cache: Cache | None,
    disk: DiskCache | None,
    on_error: str,
    on_event: Listener | None,
    device: str,
    force: frozenset[str],
    record: bool,
    cancel: threading.Event,
    requests: Requests,
    run_id: str | None,
    on_value: OnValue | None,
    problems: list[Problem],
) -> Result:
    """Run a plan and record it in the workspace."""
    id = run_id or new_id()
    folder = places.root("runs") / id if record else None
    options = prepared.analysis.graph.run
    log = EventLog(id, folder / "events.jsonl" if folder else None, on_event)
    state = RunState(
        id=id,
        roots=places,
        events=log,
        device=device,
        precision=options.precision,
        seed=options.seed,
        graph_text=_embedded(prepared, requests),
        force=force,
        cancel=cancel,
        requests=requests,
    )
    from .running.execute import Execution
    from .running.origin import not_finite

    job = Execution(prepared, state, ram=cache, disk=disk, fingerprints=prints, on_error=on_error, on_value=on_value)
    started = time.perf_counter()
    entry: dict[str, Any] = {
        "id": id,
        "status": "running",
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "title": prepared.analysis.graph.meta.title,
        "seed": options.seed,
        "device": device,
        "precision": options.precision,
        "targets": prepared.targets,
        "versions": _versions(registry),
        "platform": platform.platform(),
        "roots": {name: str(path) for name, path in places.overrides.items()},
        "allow_write": sorted(places.writable),
        "packs": [str(pack.folder) for pack in registry.packs.values() if pack.module is None],
    }
    if folder:
        text = prepared.analysis.graph.dump()
        write_text(folder / "graph.json", text)
        entry["graph_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        write_json(folder / "run.json", entry)
    log.emit("run_started", nodes=len(prepared.analysis.flat.nodes), targets=prepared.targets)
    status, warnings = "failed", list[Problem]()
    try:
        job.go()
        status = "failed" if job.failed else "done"
        warnings += not_finite(job)
    except Cancelled:
        status = "cancelled"
    finally:
        seconds = time.perf_counter() - started
        log.emit("run_done", status=status, seconds=round(seconds, 3))
        log.close()
        if folder:
            entry |= {
                "status": status,
                "seconds": round(seconds, 3),
                "ran": job.ran,
                "cached": job.cached,
                "skipped": job.skipped,
                "failed": {node: error.problem.to_json() for node, error in job.failed.items()},
                "timing": job.timing,
                "artifacts": state.artifacts,
                "not_finite": [problem.to_json() for problem in warnings],
                "shortened": requests.shortened,
                "files": prepared.keys.files,
            }
            write_json(folder / "run.json", entry)
    return Result(
        id,
        status,
        job.outputs(),
        job.ran,
        job.cached,
        job.failed,
        job.skipped,
        state.artifacts,
        seconds,
        folder,
        [*problems, *warnings],
    )


def new_id() -> str:
    """A name for a run: when it was started, and four digits that tell runs of the same second apart."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    write_text(path, json.dumps(data, indent=1, default=str) + "\n")


def _check_call(on_error: str) -> None:
    if on_error not in ("stop", "continue"):
        raise GraphErrors.one("E_CALL", f"on_error is 'stop' or 'continue', not {on_error!r}")


def _check_force(force: frozenset[str], analysis: Analysis) -> None:
    loops = [id for id, node in analysis.flat.nodes.items() if node.spec is not None and node.spec.resumes]
    unknown = sorted(force - {"*", *loops})
    if unknown:
        problems = [
            Problem("E_FORCE", f"'{name}' is no training loop", name, hint=did_you_mean(name, loops, "training loops"))
            for name in unknown
        ]
        raise GraphErrors(problems)


def _versions(registry: Registry) -> dict[str, str]:
    packs = {name: pack.version for name, pack in registry.packs.items()}
    return {"hcpgraph": __version__, **packs, **{name: package_version(name) for name in ENVIRONMENT}}


def _embedded(prepared: Plan, requests: Requests) -> Callable[[], str]:
    """The text that written files carry: the graph that ran, with hashes of what it read, without secrets.

    Loops that were stopped early have the steps they did, so that the text still gives what the file holds.
    """

    @lru_cache(maxsize=1)
    def text(shortened: tuple[tuple[str, int], ...]) -> str:
        from .document.embed import embed_text, scrub
        from .document.required_files import with_requirements

        graph = with_requirements(prepared.analysis.graph, prepared.keys.files)
        for loop, steps in shortened:
            graph.set(f"{loop}.steps", steps)
        return embed_text(scrub(graph))

    return lambda: text(tuple(requests.shortened.items()))
