"""A run: a plan that is executed, and what is written of it to runs/<id>."""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..checking.lengths import passes
from ..context import RunState
from ..declaring.registry import Registry
from ..declaring.sources import ENVIRONMENT
from ..disk import HINT
from ..document.embed import embed_text
from ..document.required_files import with_requirements
from ..errors import Cancelled, GraphError, GraphErrors, Problem
from ..events import EventLog
from ..fingerprint import Fingerprints
from ..paths import Roots
from ..planning.plan import Plan
from ..requests import Requests
from ..version import __version__, package_version
from .cache import DiskCache
from .execute import Execution
from .interrupts import interruptible
from .options import Options
from .origin import not_finite


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


def execute(prepared: Plan, places: Roots, prints: Fingerprints, options: Options, *, device: str) -> Result:
    """Run a plan and record it in the workspace.

    Args:
        prepared: The plan.
        places: Where the named roots lie.
        prints: Hashes of files, as the plan has them.
        options: How it is run; what they say of the graph itself is in the plan already.
        device: The device that was chosen.
    """
    id = options.run_id or new_id()
    folder = places.root("runs") / id if options.record else None
    graph = prepared.analysis.graph
    log = _begin(id, folder, options)
    state = RunState(
        id=id,
        roots=places,
        events=log,
        device=device,
        precision=graph.run.precision,
        seed=graph.run.seed,
        graph_text=embedded(prepared, options.requests),
        force=options.forced,
        cancel=options.cancel,
        requests=options.requests,
    )
    job = Execution(
        prepared,
        state,
        ram=options.cache,
        disk=DiskCache(places.root("cache")) if options.disk_cache else None,
        fingerprints=prints,
        on_error=options.on_error,
        on_value=options.on_value,
        recorded=folder is not None,
    )
    started = time.perf_counter()
    entry = _entry(prepared, state)
    if folder:
        text = graph.dump()
        entry["graph_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        try:
            write_text(folder / "graph.json", text)
            write_json(folder / "run.json", entry)
        except OSError as error:
            log.close()
            raise _refused(folder, error) from None
    log.emit("run_started", nodes=len(prepared.analysis.flat.nodes), targets=prepared.targets)
    status, warnings = "failed", list[Problem]()
    try:
        with interruptible(options.cancel):
            job.go()
            status = "failed" if job.failed else "done"
            warnings += not_finite(job)
    except Cancelled:
        status = "cancelled"
    except KeyboardInterrupt:
        status = "cancelled"
        raise
    finally:
        seconds = time.perf_counter() - started
        log.emit("run_done", status=status, seconds=round(seconds, 3))
        log.close()
        if folder:
            warnings += _close(folder, entry | _ended(job, status, seconds, warnings), log)
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
        warnings,
    )


def _begin(id: str, folder: Path | None, options: Options) -> EventLog:
    try:
        return EventLog(id, folder / "events.jsonl" if folder else None, options.on_event)
    except OSError as error:
        assert folder is not None
        raise _refused(folder, error) from None


def _refused(folder: Path, error: OSError) -> GraphErrors:
    """The error of a run that cannot even be begun; it leaves nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    message = f"the record of the run cannot be written to {folder}: {error.strerror or error}"
    return GraphErrors.one("E_DISK", message, hint=HINT)


def _close(folder: Path, entry: dict[str, Any], log: EventLog) -> list[Problem]:
    """Write how a run ended; a warning where its record is not whole."""
    broken = log.broken
    try:
        write_json(folder / "run.json", entry | ({"record_ends": broken} if broken else {}))
    except OSError as error:
        broken = broken or error.strerror or str(error)
    if broken is None:
        return []
    return [Problem("W_RECORD", f"the record in {folder} is not whole: {broken}", hint=HINT, severity="warning")]


def _entry(prepared: Plan, state: RunState) -> dict[str, Any]:
    """What run.json says of a run that begins."""
    registry = prepared.analysis.registry
    return {
        "id": state.id,
        "status": "running",
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "title": prepared.analysis.graph.meta.title,
        "seed": state.seed,
        "device": state.device,
        "precision": state.precision,
        "targets": prepared.targets,
        "continued": dict(prepared.continued),
        "versions": _versions(registry),
        "platform": platform.platform(),
        "roots": {name: str(path) for name, path in state.roots.overrides.items()},
        "allow_write": sorted(state.roots.writable),
        "packs": [str(pack.folder) for pack in registry.packs.values() if pack.module is None],
    }


def _ended(job: Execution, status: str, seconds: float, warnings: list[Problem]) -> dict[str, Any]:
    """What run.json says besides of one that has ended."""
    return {
        "status": status,
        "seconds": round(seconds, 3),
        "ran": job.ran,
        "cached": job.cached,
        "skipped": job.skipped,
        "failed": {node: error.problem.to_json() for node, error in job.failed.items()},
        "timing": job.timing,
        "artifacts": job.run.artifacts,
        "not_finite": [problem.to_json() for problem in warnings],
        "shortened": job.run.requests.shortened,
        "files": job.plan.keys.files,
    }


def new_id() -> str:
    """A name for a run: when it was started, and four digits that tell runs of the same second apart."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    write_text(path, json.dumps(data, indent=1, default=str) + "\n")


def _versions(registry: Registry) -> dict[str, str]:
    packs = {name: pack.version for name, pack in registry.packs.items()}
    return {"hcpgraph": __version__, **packs, **{name: package_version(name) for name in ENVIRONMENT}}


def embedded(prepared: Plan, requests: Requests) -> Callable[[], str]:
    """The text that written files carry: the graph that ran, with hashes of what it read, without secrets.

    Loops that were stopped early have the steps they did, and their curves the length that these had, so that the text
    still gives what the file holds.
    """

    specs = prepared.analysis.registry.specs

    def schemas(type: str) -> Mapping[str, Mapping[str, Any]] | None:
        return specs[type].settings if type in specs else None

    @lru_cache(maxsize=1)
    def text(shortened: tuple[tuple[str, int], ...]) -> str:
        found = prepared.analysis
        graph = with_requirements(found.graph, prepared.keys.files)
        for loop, steps in shortened:
            told = passes(found.flat, found.settings, found.registry, loop)
            for name in told if isinstance(told, Mapping) else ():
                graph.set(f"{loop}.{name}", None)
            graph.set(f"{loop}.steps", steps)
        done = dict(shortened)
        for one in found.lengths:
            if one.matters and one.said is None and done.keys() & set(one.loops):
                graph.set(f"{one.node}.{one.setting}", one.steps or requests.lengths[one.loops[0]])
        return embed_text(graph, schemas)

    return lambda: text(tuple(requests.shortened.items()))
