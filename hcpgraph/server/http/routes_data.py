"""What a graph would train on, told while it is being found out."""

from __future__ import annotations

from aiohttp import web

from .. import LANGUAGES
from ..helpers import datacheck
from .bodies import JSON_BYTES
from .replies import STATE, read_body

REPORTS = web.AppKey("reports", datacheck.Reports)
TELL_SECONDS = 0.2


def add(app: web.Application) -> None:
    state = app[STATE]
    app[REPORTS] = datacheck.Reports(state.roots, state.packs)
    app.on_shutdown.append(_close)
    app.router.add_post("/api/data-report", report)


async def report(request: web.Request) -> web.StreamResponse:
    """Progress and then the report as JSON lines; a page that hangs up ends it."""
    state = request.app[STATE]
    wanted = await state.pool.run(datacheck.asked, await read_body(request, JSON_BYTES), LANGUAGES)
    making = await request.app[REPORTS].start(wanted)
    reply = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    lines = making.lines(TELL_SECONDS)
    try:
        await reply.prepare(request)
        async for line in lines:
            if request.transport is None or request.transport.is_closing():
                return reply
            if line is not None:
                await reply.write(datacheck.to_line(line))
        await reply.write_eof()
    except ConnectionError:
        return reply
    finally:
        await lines.aclose()
    return reply


async def _close(app: web.Application) -> None:
    app[REPORTS].close()
