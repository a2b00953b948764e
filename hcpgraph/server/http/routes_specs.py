"""What there is and what a graph means: hello, node types, check, plan, format, import, capabilities."""

from __future__ import annotations

from typing import cast

from aiohttp import web

from ...document.fileformat import MAX_BYTES
from ...version import __version__
from .. import LANGUAGES
from ..helpers import opened, specs, validate
from ..schema.wire import Hello, WorkerState
from . import files, uploads
from .bodies import JSON_BYTES
from .replies import STATE, json_reply, json_text, read_body

IMPORT_BYTES = 64 * 2**20


def add(app: web.Application) -> None:
    app.router.add_get("/api/hello", hello)
    app.router.add_get("/api/specs", all_specs)
    app.router.add_post("/api/check", checked)
    app.router.add_post("/api/format", formatted)
    app.router.add_post("/api/plan", planned)
    app.router.add_post("/api/import", imported)
    app.router.add_post("/api/capabilities", capable)


async def hello(request: web.Request) -> web.Response:
    """Who answers, and what it takes."""
    state = request.app[STATE]
    limits = uploads.LIMITS
    reply: Hello = {
        "version": __version__,
        "workspace": state.roots.workspace.name,
        "roots": files.visible(state.roots),
        "worker": cast(WorkerState, state.supervisor.state()),
        "limits": {
            "graph": MAX_BYTES,
            "picture": limits["image"],
            "text": limits["text"],
            "weights": limits["weights"],
        },
        "languages": list(LANGUAGES),
    }
    return json_reply(reply)


async def all_specs(request: web.Request) -> web.StreamResponse:
    """Node types in the asked language; not sent again while they are the same."""
    state = request.app[STATE]
    text, etag = await state.pool.run(specs.specs, request.query.get("lang", "en"), state.packs)
    if any(given.value == etag for given in request.if_none_match or ()):
        return web.Response(status=304, headers={"ETag": f'"{etag}"', "Cache-Control": "no-cache"})
    reply = json_text(text, headers={"ETag": f'"{etag}"', "Cache-Control": "no-cache"})
    reply.enable_compression()
    return reply


async def checked(request: web.Request) -> web.Response:
    """Everything that is known of a graph without running it."""
    state = request.app[STATE]
    data = await read_body(request, JSON_BYTES)
    return json_text(await state.pool.run(validate.check, data, state.roots, state.packs))


async def formatted(request: web.Request) -> web.Response:
    """The canonical form of a graph."""
    state = request.app[STATE]
    return json_text(await state.pool.run(opened.formatted, await read_body(request, JSON_BYTES), state.packs))


async def planned(request: web.Request) -> web.Response:
    """What a run would do."""
    state = request.app[STATE]
    data = await read_body(request, JSON_BYTES)
    return json_text(await state.pool.run(validate.plan, data, state.roots, state.packs, state.device()))


async def imported(request: web.Request) -> web.Response:
    """The graph in a file that was dropped on the page."""
    state = request.app[STATE]
    data = await read_body(request, IMPORT_BYTES)
    return json_text(await state.pool.run(opened.imported, data, state.roots, state.packs))


async def capable(request: web.Request) -> web.Response:
    """What a graph would touch."""
    state = request.app[STATE]
    data = await read_body(request, JSON_BYTES)
    return json_text(await state.pool.run(opened.capable, data, state.roots, state.packs))
