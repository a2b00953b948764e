"""The web application: its routes, in which order its parts start and stop, and how a failure is answered."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web

from ...errors import Failure, Problem
from ..helpers.pool import HelperBug
from ..state import ServerState
from . import page, routes_data, routes_files, routes_graphs, routes_jobs, routes_specs
from .bodies import JSON_BYTES
from .replies import STATE, failure
from .security import Handler, add_headers, guard, is_api
from .watch import tidy, watching

log = logging.getLogger("hcpgraph.server")


def create_app(state: ServerState) -> web.Application:
    """The application of one workspace; its parts start and stop with it."""
    app = web.Application(middlewares=[answered, guard], client_max_size=JSON_BYTES)
    app[STATE] = state
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_parts)
    app.on_shutdown.append(_close_sockets)
    for routes in (routes_specs, routes_graphs, routes_data, routes_files, routes_jobs, page):
        routes.add(app)
    return app


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure below /api is JSON with problems; a traceback goes to the log and never to the page."""
    try:
        return await handler(request)
    except Failure as refused:
        return failure(refused.problems)
    except web.HTTPException as error:
        if not is_api(request) or error.status < 400:
            raise
        return failure([_told(request, error)], error.status)
    except OSError as error:
        if request.transport is None or request.transport.is_closing():
            raise
        log.warning("%s %s: %s", request.method, request.path, error)
        return failure([Problem("E_DISK", f"the disk refused: {error.strerror or 'unknown reason'}")])
    except HelperBug as bug:
        log.error("%s %s\n%s", request.method, request.path, bug)
    except Exception:
        log.exception("%s %s", request.method, request.path)
    return failure([Problem("E_SERVER", "the server made a mistake; its log says which", hint="please report it")])


def _told(request: web.Request, error: web.HTTPException) -> Problem:
    if error.status == 404:
        return Problem("E_NOT_FOUND", f"there is no {request.path[:200]}")
    if error.status == 405:
        return Problem("E_METHOD", f"{request.method} is not for {request.path[:200]}")
    if error.status == 413:
        return Problem("E_TOO_LARGE", "the request is too large")
    return Problem("E_REQUEST", (error.reason or "the request cannot be read").lower())


async def _parts(app: web.Application) -> AsyncIterator[None]:
    """Queue before worker, worker before watchers; in the reverse order at the end."""
    state = app[STATE]
    await state.jobs.start()
    await state.hub.start()
    await state.supervisor.start()
    async with watching(state):
        await tidy(state.roots)
        yield
    await state.supervisor.stop()
    await state.hub.stop()
    await state.jobs.stop()
    await state.pool.close()


async def _close_sockets(app: web.Application) -> None:
    """Before open connections are waited for: pages keep theirs for ever."""
    await app[STATE].hub.stop()
