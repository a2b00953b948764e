"""Files of the workspace over HTTP: list, show, take, thumbnails, upload, delete."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from ...errors import GraphErrors
from ..helpers import opened, thumbs
from ..helpers.validate import texts
from . import files, uploads
from .replies import STATE, json_reply, json_text, read_json

ALONE = "default-src 'none'; sandbox"
"""What a file may do if a browser shows it as a page of its own: nothing."""
STAMPED = 1_000
"""Files that one request may ask about."""


def add(app: web.Application) -> None:
    app.router.add_get("/api/files", listing)
    app.router.add_get("/api/file", one_file)
    app.router.add_delete("/api/file", delete)
    app.router.add_get("/api/thumb", thumb)
    app.router.add_post("/api/stamps", stamps)
    app.router.add_get("/api/file-graph", graph_of)
    app.router.add_post("/api/upload", upload)


class Plain(web.FileResponse):
    """A file as it is: a `.gz` that lies beside it is another file, and is never sent in its place."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = request.headers.copy()
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        return await super().prepare(request.clone(headers=headers))


async def listing(request: web.Request) -> web.Response:
    """What lies in a folder."""
    found = await asyncio.to_thread(files.listing, request.query.get("uri", ""), request.app[STATE].roots)
    return json_reply(found)


async def one_file(request: web.Request) -> web.StreamResponse:
    """A file: a picture is shown, anything else is a download whatever it says it is."""
    path = await _file(request)
    kind = files.picture_type(path)
    shown = kind is not None and not request.query.get("download")
    headers = {
        "Content-Type": kind or "application/octet-stream",
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(path.name, safe='')}",
        "Content-Security-Policy": ALONE,
        "Cache-Control": "private, no-cache",
    }
    return Plain(path, headers=headers)


async def thumb(request: web.Request) -> web.StreamResponse:
    """A small picture of a picture."""
    state = request.app[STATE]
    size = request.query.get("size", "256")
    if size not in map(str, thumbs.SIZES):
        raise GraphErrors.one("E_FIELD", f"size is one of {', '.join(map(str, thumbs.SIZES))}")
    path = await _file(request)
    if files.picture_type(path) is None:
        raise GraphErrors.one("E_PICTURE", f"'{path.name}' is no picture")
    place = await asyncio.to_thread(thumbs.place, path, int(size), state.roots)
    if not await asyncio.to_thread(place.is_file):
        await state.pool.run(thumbs.make, path, int(size), place)
    return webp(place)


def webp(path: Path) -> web.StreamResponse:
    """A small picture that the server made."""
    headers = {"Content-Type": "image/webp", "Content-Security-Policy": ALONE, "Cache-Control": "private, no-cache"}
    return Plain(path, headers=headers)


async def stamps(request: web.Request) -> web.Response:
    """What changes with the content of files: whoever shows one puts it into its address."""
    uris = texts(await read_json(request), "uris")
    if len(uris) > STAMPED:
        raise GraphErrors.one("E_FIELD", f"uris has at most {STAMPED} texts")
    found = await asyncio.to_thread(files.stamps, uris, request.app[STATE].roots)
    return json_reply({"stamps": found})


async def graph_of(request: web.Request) -> web.Response:
    """The graph that a picture or a weight file of the workspace carries."""
    state = request.app[STATE]
    return json_text(await state.pool.run(opened.imported, await _file(request), state.roots, state.packs))


async def upload(request: web.Request) -> web.Response:
    """Pictures, captions, weights from the user's machine."""
    try:
        reader = await request.multipart()
    except (ValueError, AssertionError):
        raise GraphErrors.one("E_UPLOAD", "the upload is malformed") from None
    return json_reply(await uploads.receive(reader, request.app[STATE].roots))


async def delete(request: web.Request) -> web.Response:
    """Delete what a run wrote or a page uploaded."""
    await asyncio.to_thread(files.delete, request.query.get("uri", ""), request.app[STATE].roots)
    return json_reply({})


async def _file(request: web.Request) -> Path:
    uri = request.query.get("uri", "")
    path = await asyncio.to_thread(files.resolve, uri, request.app[STATE].roots)
    if not await asyncio.to_thread(path.is_file):
        raise GraphErrors.one("E_NOT_FOUND", f"'{uri[:200]}' is no file")
    return path
