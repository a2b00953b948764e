"""Who may talk to the server (DESIGN §8): the token, the page's own origin, a known host, known content types.

A page of another site that guesses the address fails three times: its requests carry no token (the cookie is
SameSite=Strict), its Origin is not this host, and a name that it points at this machine is no name of this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from ...errors import Problem
from .replies import STATE, failure

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STYLES = (
    "'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='",  # no scrolling behind a dialog (react-remove-scroll)
    "'sha256-441zG27rExd4/il+NvIqyL8zFx5XmyNQtE381kSkUJk='",  # the list of a select (Radix)
)
"""The two style sheets that the page's libraries write into it; the browser tests fail where one is refused."""
CSP = (
    f"default-src 'self'; img-src 'self' blob: data:; style-src 'self' {' '.join(STYLES)}; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
JSON, BYTES, FORM = "application/json", "application/octet-stream", "multipart/form-data"
BODIES = {"/api/import": BYTES, "/api/upload": FORM}
"""What the body of a path is, where it is not JSON."""
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
MIN_TOKEN = 16


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from the user's own page or program."""
    state = request.app[STATE]
    problem = bad_host(request, state.host)
    if problem is None and is_api(request):
        problem = bad_origin(request) or bad_token(request, state.token) or bad_content_type(request)
    if problem is not None:
        return failure([problem])
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer says what it may do in a browser; what the API says is not kept by one."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if is_api(request):
        response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)


def is_api(request: web.Request) -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


def bad_host(request: web.Request, bound: str) -> Problem | None:
    """A Host that is no address and no name of this machine: what a rebound DNS name sends.

    The port is not looked at: behind a tunnel it is another one, and `bad_origin` compares it with the page's.
    """
    given = request.headers.getall("Host", [])
    match = HOST.fullmatch(given[0]) if len(given) == 1 else None
    if match is not None and known_host(match[1].lower().strip("[]"), bound):
        return None
    shown = given[0][:100] if given else "none"
    return Problem("E_HOST", f"the host '{shown}' is not this server", hint="open the address that the server printed")


def known_host(name: str, bound: str) -> bool:
    """Whether a Host header may say this: an address, `localhost`, what was bound, or this machine's name."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        own = {bound.lower(), "localhost"}
        return name in own or (not is_loopback(bound) and name in _own_names())
    return address.is_loopback or not is_loopback(bound)


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local", socket.getfqdn().lower()}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def bad_origin(request: web.Request) -> Problem | None:
    """A request that another site's page makes; programs send neither of the two headers."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return Problem("E_ORIGIN", "this request comes from the page of another site")
    for origin in request.headers.getall("Origin", []):
        parts = urlsplit(origin) if origin.startswith(("http://", "https://")) else None
        if parts is None or parts.netloc.lower() != request.headers["Host"].lower():
            return Problem("E_ORIGIN", f"the origin '{origin[:100]}' is not this server")
    opens = request.headers.get("Upgrade", "").lower() == "websocket" or request.method not in ("GET", "HEAD")
    if opens and "Origin" not in request.headers and not _bearer(request):
        return Problem("E_ORIGIN", "a request with a cookie says where it comes from", hint="send Origin, or a Bearer")
    return None


def bad_token(request: web.Request, token: str) -> Problem | None:
    """No token, or another one."""
    given = _bearer(request) or request.cookies.get(cookie_name(request), "")
    if same(given, token):
        return None
    return Problem("E_TOKEN", "the token is missing or wrong", hint="open the address that the server printed")


def same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def cookie_name(request: web.Request) -> str:
    """Cookies are shared by all ports of a host: two servers must not take each other's away."""
    socket_name = request.transport.get_extra_info("sockname") if request.transport else None
    return f"hcpgraph-{socket_name[1] if socket_name else 0}"


def give_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Let the browser of this request in."""
    response.set_cookie(cookie_name(request), token, httponly=True, samesite="Strict", path="/")


def bad_content_type(request: web.Request) -> Problem | None:
    """A body of another kind than the path takes: a form of another site cannot send JSON."""
    if request.method in ("GET", "HEAD") or not request.body_exists:
        return None
    wanted = BODIES.get(request.path, JSON)
    given = request.headers.getall("Content-Type", [])
    kind = given[0].partition(";")[0].strip().lower() if len(given) == 1 else ""
    if kind == wanted and "Content-Encoding" not in request.headers:
        return None
    return Problem("E_CONTENT_TYPE", f"the body of {request.path} is {wanted}, without a content encoding")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
