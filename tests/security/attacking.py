"""What the attacks on a running server share: the server, what must hold after each of them, and raw requests."""

import base64
import http.client
import os
import socket
from contextlib import suppress

import pytest

from tests.server.live import shared

EMPTY = {"format": "hcpgraph/1", "nodes": {}, "edges": {}}
SECRET = b"the secret outside"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture(scope="module")
def live():
    found = shared()
    for root in ("data", "out", "models", "runs"):
        (found.workspace / root).mkdir(parents=True, exist_ok=True)
    (found.workspace.parent / "secret.txt").write_bytes(SECRET)
    return found


@pytest.fixture(autouse=True)
def still_there(live):
    """Whatever was tried: the server is up, has told no traceback, and nothing was written outside."""
    outside = sorted(path.name for path in live.workspace.parent.iterdir())
    yield
    assert live.request("GET", "/api/hello").status == 200
    assert "Traceback" not in live.said()
    assert sorted(path.name for path in live.workspace.parent.iterdir()) == outside


def raw(live, data):
    """The first answer of the server to bytes."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        with suppress(OSError):  # it may have answered and closed before everything is sent
            connection.sendall(data)
        out = b""
        while b"\r\n\r\n" not in out and (chunk := connection.recv(65536)):
            out += chunk
    return out


def upgrade(live, **headers):
    """The status of a WebSocket handshake."""
    sent = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent.setdefault("Host", f"127.0.0.1:{live.port}")
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    try:
        connection.putrequest("GET", "/api/ws", skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def cookie(live):
    reply = live.request("GET", f"/?token={live.token}", token=False)
    return reply.headers["Set-Cookie"].partition(";")[0]
