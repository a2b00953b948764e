"""The editor's files, as vite built them, and the page that lets a browser in."""

from __future__ import annotations

from html import escape
from pathlib import Path

from aiohttp import web

from .replies import STATE
from .security import give_cookie, same

STATIC = Path(__file__).resolve().parents[1] / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
FOR_EVER = "public, max-age=31536000, immutable"


def add(app: web.Application) -> None:
    app.router.add_get("/", index)
    app.router.add_get("/{path:.+}", asset)


async def index(request: web.Request) -> web.StreamResponse:
    """The page. `?token=…` is exchanged for a cookie, so that it does not stay in the address and the history."""
    if "token" in request.query:
        token = request.app[STATE].token
        if not same(request.query["token"], token):
            text = "This address is of an earlier start of the server. Open the one that it printed last."
            return _message("Not let in", text, 401)
        reply = web.Response(status=303, headers={"Location": "/"})
        give_cookie(request, reply, token)
        return reply
    file = STATIC / "index.html"
    if not file.is_file():
        return _message("The editor is not built", "Run “make web” in the checkout, then load this page again.", 503)
    return _file(file, "no-cache")


async def asset(request: web.Request) -> web.StreamResponse:
    """A file of the built page; what vite named by its content is kept for ever."""
    name = request.match_info["path"]
    root = STATIC.resolve()
    try:
        file = (root / name).resolve()
        found = root in file.parents and file.is_file()
    except (OSError, ValueError):
        found = False
    if not found or file.suffix not in TYPES:
        raise web.HTTPNotFound
    return _file(file, FOR_EVER if name.startswith("assets/") else "no-cache")


def _file(file: Path, keep: str) -> web.FileResponse:
    return web.FileResponse(file, headers={"Content-Type": TYPES[file.suffix], "Cache-Control": keep})


def _message(title: str, text: str, status: int) -> web.Response:
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="color-scheme" content="light dark"></head><body><h1>{escape(title)}</h1>'
        f"<p>{escape(text)}</p></body></html>"
    )
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)
