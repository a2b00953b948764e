"""Graphs to open and to keep: templates that ship, and the files of the workspace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web

from ...document import shipped
from ...errors import GraphErrors
from ...paths import Roots
from ..helpers import graphs, opened
from ..schema.wire import GraphEntry, TemplateEntry
from .bodies import JSON_BYTES
from .replies import STATE, json_reply, json_text, read_body, read_json

PICTURES = {".webp": "image/webp", ".png": "image/png"}


def add(app: web.Application) -> None:
    app.router.add_get("/api/templates", all_templates)
    app.router.add_get("/api/templates/{name:.+}", template)
    app.router.add_get("/api/template-picture/{name:.+}", template_picture)
    app.router.add_get("/api/graphs", all_graphs)
    app.router.add_get("/api/graphs/{name:.+}", graph)
    app.router.add_put("/api/graphs/{name:.+}", save)
    app.router.add_delete("/api/graphs/{name:.+}", delete)
    app.router.add_post("/api/graph-move", move)


async def all_templates(request: web.Request) -> web.Response:
    """The graphs that ship."""
    found = await asyncio.to_thread(shipped.names)
    told = await request.app[STATE].pool.run(opened.kept, found)
    reply: list[TemplateEntry] = [
        {
            "name": name,
            "title": told[name].title or name,
            "description": told[name].description,
            "picture": f"/api/template-picture/{name}" if _picture(path) else None,
            "groups": name.rpartition("/")[0],
            "uses": list(told[name].uses),
            "needs": list(told[name].needs),
        }
        for name, path in found.items()
    ]
    return json_reply(reply)


async def template(request: web.Request) -> web.Response:
    """One of them, as a new graph without a name."""
    state = request.app[STATE]
    path = await asyncio.to_thread(_template, request.match_info["name"])
    return json_text(await state.pool.run(opened.from_file, path, state.packs))


async def template_picture(request: web.Request) -> web.StreamResponse:
    """The picture beside a template's file; of a drawing, with `?theme=dark`, the dark one."""
    dark = request.query.get("theme") == "dark"
    picture = await asyncio.to_thread(lambda: _picture(_template(request.match_info["name"]), dark=dark))
    if picture is None:
        raise web.HTTPNotFound
    headers = {"Content-Type": PICTURES[picture.suffix], "Cache-Control": "no-cache"}
    return web.FileResponse(picture, headers=headers)


def _template(name: str) -> Path:
    path = shipped.names().get(name)
    if path is None:
        raise GraphErrors.one("E_NOT_FOUND", f"there is no template '{name[:200]}'")
    return path


def _picture(path: Path, *, dark: bool = False) -> Path | None:
    suffixes = [*(f".dark{suffix}" for suffix in PICTURES if dark), *PICTURES]
    return next((file for suffix in suffixes if (file := path.with_suffix(suffix)).is_file()), None)


async def all_graphs(request: web.Request) -> web.Response:
    """The graphs of the workspace, by name."""
    state = request.app[STATE]
    found = await asyncio.to_thread(graphs.files, state.roots)
    told = await state.pool.run(opened.kept, found)
    return json_reply(await asyncio.to_thread(_entries, found, told))


def _entries(found: dict[str, Path], told: dict[str, opened.Kept]) -> list[GraphEntry]:
    entries: list[GraphEntry] = []
    for name, path in found.items():
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        title = told[name].title or name
        entries.append({"name": name, "title": title, "modified": stat.st_mtime, "size": stat.st_size})
    return entries


async def graph(request: web.Request) -> web.Response:
    """One of them."""
    return json_text(await _open(request, request.match_info["name"]))


async def save(request: web.Request) -> web.Response:
    """Save a graph under a name; the reply is what was written."""
    state, name = request.app[STATE], request.match_info["name"]
    graphs.path_of(name, state.roots)
    data = await read_body(request, JSON_BYTES)
    text, reply, fields = await state.pool.run(opened.prepared, data, state.packs, name)
    await asyncio.to_thread(graphs.save, name, text, _etag(fields), state.roots)
    return json_text(reply)


async def delete(request: web.Request) -> web.Response:
    """Remove a graph whose content is the one that the page knows."""
    etag = request.query.get("etag")
    await asyncio.to_thread(graphs.delete, request.match_info["name"], etag, request.app[STATE].roots)
    return json_reply({})


async def move(request: web.Request) -> web.Response:
    """Give a graph another name."""
    fields = await read_json(request)
    source, target, etag = fields.get("from"), fields.get("to"), _etag(fields)
    if not (isinstance(source, str) and isinstance(target, str)):
        raise GraphErrors.one("E_FIELD", "from and to are names of graphs")
    await asyncio.to_thread(graphs.move, source, target, etag, request.app[STATE].roots)
    return json_text(await _open(request, target))


async def _open(request: web.Request, name: str) -> str:
    state = request.app[STATE]
    path = await asyncio.to_thread(_existing, name, state.roots)
    return await state.pool.run(opened.from_file, path, state.packs, name)


def _existing(name: str, roots: Roots) -> Path:
    path = graphs.path_of(name, roots)
    if not path.is_file():
        raise GraphErrors.one("E_NOT_FOUND", f"there is no graph '{name}'")
    return path


def _etag(fields: dict[str, Any]) -> str | None:
    etag = fields.get("etag")
    if etag is not None and not isinstance(etag, str):
        raise GraphErrors.one("E_FIELD", "etag is a text or null")
    return etag
