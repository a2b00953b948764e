"""Routes of jobs: the queue, the history, what a run says, and what can be asked of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from aiohttp import web

from ...checking.analyse import analyse
from ...declaring.registry import default_registry
from ...document import loads
from ...document.overrides import written_out
from ...document.required_files import locate
from ...errors import GraphErrors, visible
from ...events import Event
from ...paths import Roots
from ..helpers.opened import from_file, opened
from ..helpers.validate import Packs, Summary, content_hash, submitted, texts, undecided, yes
from ..json_text import to_text
from ..queue.job import STATUSES
from ..queue.progress import TABLE_HEAD, table
from .replies import STATE, failure, json_reply, json_text, read_body, read_json
from .routes_files import webp

LIMIT = 500
TITLE = 200
CHUNK = 2_000
NAMES = 256


def add(app: web.Application) -> None:
    """Add the routes."""
    app.add_routes(
        [
            web.get("/api/ws", connect),
            web.post("/api/jobs", submit),
            web.get("/api/jobs", listing),
            web.get("/api/jobs/{id}", snapshot),
            web.delete("/api/jobs/{id}", forget),
            web.get("/api/jobs/{id}/graph", graph),
            web.get("/api/jobs/{id}/events", events),
            web.get("/api/jobs/{id}/series", series),
            web.get("/api/jobs/{id}/series.csv", series_table),
            web.get("/api/jobs/{id}/record", record),
            web.get("/api/jobs/{id}/picture", picture),
            web.post("/api/jobs/{id}/cancel", cancel),
            web.post("/api/jobs/{id}/move", move),
            web.post("/api/jobs/{id}/request", ask),
            web.post("/api/layers", layers),
            web.post("/api/worker/restart", restart),
        ]
    )


async def connect(request: web.Request) -> web.WebSocketResponse:
    """The WebSocket of a page."""
    return await request.app[STATE].hub.serve(request)


async def submit(request: web.Request) -> web.Response:
    """Queue a graph. One with errors is refused, except for files that are missing as long as a job before it may
    write them; one whose training was begun with other code, unless it says what to do."""
    state = request.app[STATE]
    device = state.supervisor.state()["device"]
    sent = await state.pool.run(_to_run, await read_body(request), state.roots, state.packs, device)
    targets, force, allow_write = (texts(sent.fields, name) for name in ("targets", "force", "allow_write"))
    title, front = sent.fields.get("title"), yes(sent.fields, "front")
    if not isinstance(title, str | None):
        raise GraphErrors.one("E_FIELD", "title is a text")
    busy = bool(await state.jobs.find(("queued", "running"), limit=1))
    errors = [
        problem
        for problem in sent.problems
        if problem.severity == "error" and not (busy and problem.code == "E_NOT_FOUND")
    ]
    if errors:
        return failure(errors, 422)
    job = await state.supervisor.submit(
        sent.text,
        sent.hash,
        title=visible(title or sent.title or "")[:TITLE],
        targets=targets,
        force=force,
        allow_write=allow_write,
        resume=yes(sent.fields, "resume"),
        front=front,
    )
    return json_reply(job.to_json(), status=201)


async def listing(request: web.Request) -> web.Response:
    """Jobs: what runs, the queue, then the history."""
    state = request.app[STATE]
    wanted = [part for part in request.query.get("status", "").split(",") if part] or list(STATUSES)
    unknown = [part for part in wanted if part not in STATUSES]
    if unknown:
        raise GraphErrors.one(
            "E_FIELD", f"there is no status '{unknown[0][:40]}'", hint=f"one of {', '.join(STATUSES)}"
        )
    limit, before = _number(request, "limit", 50), request.query.get("before")
    try:
        time = None if before is None else float(before)
    except ValueError:
        raise GraphErrors.one("E_FIELD", "before is no time") from None
    await state.supervisor.refresh_history()
    jobs = await state.jobs.find(wanted, limit=min(limit, LIMIT), before=time)
    return json_reply([job.to_json() for job in jobs])


async def snapshot(request: web.Request) -> web.Response:
    """Everything that a run has said so far, and the state of its job."""
    state, id = request.app[STATE], request.match_info["id"]
    job = await state.supervisor.job(id)
    run = await state.supervisor.runs.get(id)
    pictures = await asyncio.to_thread(run.pictures.stamps)
    return json_reply({"job": job.to_json(), **run.fold.to_json(), "pictures": pictures})


async def series(request: web.Request) -> web.Response:
    """The curves of a run, thinned for drawing."""
    state, id = request.app[STATE], request.match_info["id"]
    await state.supervisor.job(id)
    run = await state.supervisor.runs.get(id)
    return json_reply(run.curves.to_json())


async def events(request: web.Request) -> web.StreamResponse:
    """The events of a run after a number, as one JSON list."""

    async def parts() -> AsyncIterator[str]:
        first = True
        async for chunk in _events(request, _number(request, "since", 0)):
            yield ("[" if first else ",") + to_text(chunk)[1:-1]
            first = False
        yield "[]" if first else "]"

    return await _stream(request, parts(), "application/json")


async def series_table(request: web.Request) -> web.StreamResponse:
    """Every number of a run, as a CSV file."""

    async def parts() -> AsyncIterator[str]:
        yield TABLE_HEAD
        async for chunk in _events(request, 0):
            yield "".join(table(iter(chunk)))

    name = f'attachment; filename="{request.match_info["id"]}.csv"'
    return await _stream(request, parts(), "text/csv", {"Content-Disposition": name})


async def record(request: web.Request) -> web.Response:
    """The record of a run: versions, seeds, timing, outputs."""
    state, id = request.app[STATE], request.match_info["id"]
    await state.jobs.get(id)
    try:
        data = await asyncio.to_thread((state.supervisor.runs.folder / id / "run.json").read_bytes)
        return json_reply(json.loads(data))
    except (OSError, ValueError):
        raise GraphErrors.one("E_NOT_FOUND", f"run '{id}' has no record", hint="it did not get that far") from None


async def picture(request: web.Request) -> web.StreamResponse:
    """The picture of a node's value in a run."""
    state, id, node = request.app[STATE], request.match_info["id"], request.query.get("node", "")
    await state.supervisor.job(id)
    path = (await state.supervisor.runs.get(id)).pictures.path(node)
    if path is None or not await asyncio.to_thread(path.is_file):
        raise GraphErrors.one("E_NOT_FOUND", f"run '{id}' has no picture of '{node[:200]}'")
    return webp(path)


async def graph(request: web.Request) -> web.Response:
    """The graph of a job."""
    state, id = request.app[STATE], request.match_info["id"]
    text = await state.jobs.graph(id)
    if text is not None:
        return json_text(await state.pool.run(_opened, text, state.packs))
    path = state.supervisor.runs.folder / id / "graph.json"
    return json_text(await state.pool.run(from_file, path, state.packs))


async def cancel(request: web.Request) -> web.Response:
    """Stop a job; one that has ended stays as it is."""
    job = await request.app[STATE].supervisor.cancel(request.match_info["id"])
    return json_reply(job.to_json())


async def move(request: web.Request) -> web.Response:
    """Change the order of the queue."""
    body = await read_json(request)
    before = body.get("before")
    if not isinstance(before, str | None):
        raise GraphErrors.one("E_FIELD", "before is the id of a job, or null for the end of the queue")
    jobs = await request.app[STATE].supervisor.move(request.match_info["id"], before)
    return json_reply([job.to_json() for job in jobs])


async def forget(request: web.Request) -> web.Response:
    """Take an ended job out of the history."""
    await request.app[STATE].supervisor.forget(request.match_info["id"])
    return json_reply({})


async def ask(request: web.Request) -> web.Response:
    """Ask a running training for a sample, a checkpoint, or its end."""
    what = (await read_json(request)).get("do")
    await request.app[STATE].supervisor.request(request.match_info["id"], str(what))
    return json_reply({})


async def layers(request: web.Request) -> web.Response:
    """Which layers a node's selectors match."""
    state = request.app[STATE]
    sent = await state.pool.run(_asked, await read_body(request))
    node, setting, patterns = sent.fields.get("node"), sent.fields.get("setting"), texts(sent.fields, "patterns")
    if not isinstance(node, str) or not isinstance(setting, str) or len(patterns) > NAMES:
        raise GraphErrors.one("E_FIELD", f"node and setting are texts, patterns at most {NAMES} texts")
    return json_reply(await state.supervisor.layers(sent.text, node, setting, patterns))


async def restart(request: web.Request) -> web.Response:
    """Replace the worker; a job that runs is cancelled."""
    return json_reply(await request.app[STATE].supervisor.restart())


async def _events(request: web.Request, since: int) -> AsyncIterator[list[Event]]:
    """The events of a run up to now, in chunks."""
    state, id = request.app[STATE], request.match_info["id"]
    while True:
        journal = state.supervisor.runs.journal(id)
        chunk = await journal.after(since, CHUNK) if journal is not None else []
        if not chunk:
            return
        since = chunk[-1]["seq"]
        yield chunk


async def _stream(
    request: web.Request, parts: AsyncIterator[str], kind: str, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    await request.app[STATE].jobs.get(request.match_info["id"])
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = kind, "utf-8"
    await response.prepare(request)
    async for part in parts:
        await response.write(part.encode(errors="replace"))
    await response.write_eof()
    return response


def _number(request: web.Request, name: str, default: int) -> int:
    """A number of the query, not below zero.

    Raises:
        GraphErrors: E_FIELD.
    """
    given = request.query.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise GraphErrors.one("E_FIELD", f"{name} is no number")
    return int(given)


def _to_run(data: bytes, roots: Roots, packs: Packs, device: str | None) -> Summary:
    """A graph that is to run, with the problems that its run would find: files that lie elsewhere are found first.

    Args:
        device: The one that the worker runs on; None while it has not said so.
    """
    sent, registry = submitted(data), default_registry(packs)
    graph = written_out(sent.graph, registry)
    here, _ = locate(graph, roots)
    places = roots.allowing(texts(sent.fields, "allow_write"))
    found = analyse(here, registry, places, files=True, targets=texts(sent.fields, "targets") or None)
    problems = found.problems
    if device is not None and not found.errors and not yes(sent.fields, "resume"):
        problems = [*problems, *undecided(found, places, sent.fields, device)]
    return Summary(graph.dump(), content_hash(graph, registry), graph.meta.title, sent.fields, problems)


def _asked(data: bytes) -> Summary:
    """A graph that something is asked about: it may be unfinished."""
    sent = submitted(data)
    return Summary(sent.graph.dump(), "", None, sent.fields, [])


def _opened(text: str, packs: Packs) -> str:
    return json.dumps(opened(loads(text), default_registry(packs)))
