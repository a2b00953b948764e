"""Attacks on a running server: what other pages, other machines and hostile files may try, and that it stays up.

The list follows what other node editors were attacked with: traversal, stored scripts, forged hosts and origins,
bombs. Every test talks to the real server over a socket.
"""

import asyncio
import json
import re
import socket
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from hcpgraph.server.http import page, routes_files, routes_graphs, routes_jobs, routes_specs
from tests.server.live import Live

from .attacking import EMPTY, HTML, SVG, cookie, live, raw, still_there, upgrade

__all__ = ["live", "still_there"]  # fixtures

# Who is let in

API = [
    ("GET", "/api/hello"), ("GET", "/api/specs"), ("POST", "/api/check"), ("POST", "/api/format"),
    ("POST", "/api/plan"), ("POST", "/api/import"), ("POST", "/api/stamps"), ("GET", "/api/jobs/x/picture"), ("POST", "/api/capabilities"), ("GET", "/api/templates"),
    ("GET", "/api/templates/quickstart/generate"), ("GET", "/api/template-picture/quickstart/generate"),
    ("GET", "/api/graphs"), ("GET", "/api/graphs/x"), ("PUT", "/api/graphs/x"), ("DELETE", "/api/graphs/x"),
    ("POST", "/api/graph-move"), ("GET", "/api/files"), ("GET", "/api/file"), ("DELETE", "/api/file"),
    ("GET", "/api/thumb"), ("GET", "/api/file-graph"), ("POST", "/api/upload"), ("POST", "/api/layers"),
    ("GET", "/api/jobs"), ("POST", "/api/jobs"), ("GET", "/api/jobs/x"), ("GET", "/api/jobs/x/graph"),
    ("GET", "/api/jobs/x/events"), ("GET", "/api/jobs/x/series"), ("GET", "/api/jobs/x/series.csv"),
    ("GET", "/api/jobs/x/record"), ("POST", "/api/jobs/x/cancel"), ("POST", "/api/jobs/x/move"),
    ("DELETE", "/api/jobs/x"), ("POST", "/api/jobs/x/request"), ("POST", "/api/worker/restart"),
    ("GET", "/api/ws"), ("GET", "/api/nowhere"), ("GET", "/api"), ("OPTIONS", "/api/check"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), API, ids=[" ".join(item) for item in API])
def test_nothing_of_the_api_answers_without_the_token(live, method, path):
    own = {"Origin": f"http://127.0.0.1:{live.port}"}
    for token in (False, "0" * 32, "", live.token[:-1], live.token + "0", live.token.upper()):
        reply = live.request(method, path, headers=own, token=token)
        assert reply.status == 401 and reply.codes() == ["E_TOKEN"], token


def test_every_route_is_in_that_list(live):
    """A new route is tried without a token too."""
    app = web.Application()
    for routes in (routes_specs, routes_graphs, routes_files, routes_jobs, page):
        routes.add(app)
    tried = {(method, re.sub("/x(?=/|$)|/quickstart/generate", "/*", path)) for method, path in API}
    there = {
        (route.method, re.sub(r"\{[^}]*\}", "*", route.resource.canonical))
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource.canonical.startswith("/api")
    }
    assert there <= tried


def test_the_token_in_another_place_does_not_count(live):
    for path in (f"/api/hello?token={live.token}", f"/api/hello?authorization=Bearer%20{live.token}"):
        assert live.request("GET", path, token=False).status == 401
    for headers in (
        {"Authorization": live.token},
        {"Authorization": f"Basic {live.token}"},
        {"Cookie": f"token={live.token}"},
        {"Cookie": f"hcpgraph-1={live.token}"},
        {"X-Token": live.token},
    ):
        assert live.request("GET", "/api/hello", token=False, headers=headers).status == 401


def test_the_address_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(live):
    reply = live.request("GET", f"/?token={live.token}", token=False)
    assert reply.status == 303 and reply.headers["Location"] == "/"
    given = reply.headers["Set-Cookie"]
    assert "HttpOnly" in given and "SameSite=Strict" in given and "Domain" not in given
    assert live.request("GET", "/api/hello", token=False, headers={"Cookie": cookie(live)}).status == 200
    wrong = live.request("GET", "/?token=wrong", token=False)
    assert wrong.status == 401 and "Set-Cookie" not in wrong.headers
    assert live.request("GET", "/?token=%00%ff", token=False).status == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example:{port}", "10.0.0.1",
     "127.0.0.1:{port}@evil.example", "[::1", "", "127.0.0.1:{port}:1", "0.0.0.0.nip.io:{port}", "localhost,evil"],
)  # fmt: skip
def test_a_forged_host_is_refused_everywhere(live, host):
    host = host.format(port=live.port)
    for path in ("/", "/api/hello", f"/?token={live.token}", "/assets/x.js"):
        reply = live.request("GET", path, headers={"Host": host})
        assert reply.status in (400, 403), path
        assert live.token.encode() not in reply.body
    assert upgrade(live, Host=host, Authorization=f"Bearer {live.token}") in (400, 403)


def test_no_host_and_two_hosts_are_refused(live):
    head = f"GET /api/hello HTTP/1.1\r\nAuthorization: Bearer {live.token}\r\nConnection: close\r\n"
    good = f"Host: 127.0.0.1:{live.port}\r\n"
    assert b" 200 " in raw(live, f"{head}{good}\r\n".encode()).split(b"\r\n")[0]
    for hosts in ("", f"{good}Host: evil.example\r\n", f"Host: evil.example\r\n{good}"):
        assert raw(live, f"{head}{hosts}\r\n".encode()).split(b" ")[1] in (b"400", b"403")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.1:9999"])
def test_names_of_this_machine_are_let_in_behind_a_tunnel_too(live, name):
    assert live.request("GET", "/api/hello", headers={"Host": name}).status == 200


ORIGINS = [
    "null", "https://evil.example", "http://evil.example:{port}", "http://127.0.0.1", "http://127.0.0.1:1",
    "http://localhost:{port}", "file://", "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}@evil.example",
    "ftp://127.0.0.1:{port}", "chrome-extension://abcdef", "", "http://",
]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_forged_origin_is_refused_on_http_and_on_the_websocket(live, origin):
    origin = origin.format(port=live.port)
    name = cookie(live)
    for method, path in (("GET", "/api/hello"), ("POST", "/api/worker/restart"), ("DELETE", "/api/file?uri=out:x")):
        for credentials in ({"Cookie": name}, {"Authorization": f"Bearer {live.token}"}):
            reply = live.request(method, path, token=False, headers={**credentials, "Origin": origin})
            assert reply.status == 403 and reply.codes() == ["E_ORIGIN"]
    assert upgrade(live, Origin=origin, Cookie=name) == 403
    assert upgrade(live, Origin=origin, Authorization=f"Bearer {live.token}") == 403


def test_a_cookie_alone_changes_nothing(live):
    """Browsers say where a request comes from; one with a cookie that does not say is not the page's."""
    name = cookie(live)
    body = json.dumps({"graph": EMPTY}).encode()
    json_type = {"Content-Type": "application/json", "Cookie": name}
    assert live.request("POST", "/api/check", body, json_type, token=False).codes() == ["E_ORIGIN"]
    own = {"Origin": f"http://127.0.0.1:{live.port}"}
    assert live.request("POST", "/api/check", body, json_type | own, token=False).status == 200
    assert upgrade(live, Cookie=name) == 403
    assert upgrade(live, Cookie=name, **own) == 101
    assert upgrade(live, **own) == 401, "no token"
    assert upgrade(live, Authorization=f"Bearer {live.token}") == 101, "a program"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_another_page_fetches_is_refused(live, site):
    for path in ("/api/hello", "/api/file?uri=out:x.png", "/api/specs"):
        reply = live.request("GET", path, headers={"Sec-Fetch-Site": site})
        assert reply.status == 403 and reply.codes() == ["E_ORIGIN"]
    assert live.request("GET", "/api/hello", headers={"Sec-Fetch-Site": "same-origin"}).status == 200


def test_no_other_origin_is_ever_allowed(live):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", "/api/check"), ("GET", "/api/hello"), ("OPTIONS", "/"), ("GET", "/")):
        reply = live.request(method, path, headers=asked)
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


# What a browser may do with an answer


@pytest.mark.parametrize("path", ["/", "/api/hello", "/api/nowhere", "/nowhere.js", "/api/graphs/nowhere", "/?token=x"])
def test_every_answer_says_what_a_browser_may_do_with_it(live, path):
    headers = live.request("GET", path).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == ["'self'"] and policy["object-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"] and policy["base-uri"] == ["'none'"]
    assert "script-src" not in policy and "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers
    if path.startswith("/api"):
        assert headers["Cache-Control"] == "no-store"


STORED = [("a.svg", SVG), ("a.SVG", SVG), ("a.html", HTML), ("a.htm", HTML), ("a.xhtml", HTML), ("a.js", b"alert(1)"),
          ("a.xml", SVG), ("a.css", b"*{}"), ("a.mjs", b"1"), ("a.pdf", b"%PDF-1.4"), ("a.svgz", SVG), ("a", HTML),
          ("a.png.html", HTML), ("a.html ", HTML), ("a.json", b"{}"), ("a.txt", HTML)]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), STORED, ids=[name for name, _ in STORED])
def test_a_stored_script_is_a_download(live, name, content):
    (live.workspace / "out" / name).write_bytes(content)
    for more in ({}, {"download": 0}, {"download": "no"}):
        reply = live.file(f"out:{name}", **more)
        if name.endswith(" "):
            assert reply.status == 404
            continue
        assert reply.body == content
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert reply.headers["Content-Disposition"].startswith("attachment")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    (live.workspace / "out" / name).unlink()


def test_html_that_says_it_is_a_picture_is_not_shown_as_html(live):
    (live.workspace / "out" / "fake.png").write_bytes(HTML)
    reply = live.file("out:fake.png")
    assert reply.headers["Content-Type"] == "image/png" and reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in reply.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.png.svg", "a.js", "a.php", "a.py", "a.sh", "a.zip", "a.pkl"])
def test_scripts_cannot_be_uploaded(live, name):
    for content in (SVG, HTML, b"\x89PNG\r\n\x1a\n" + HTML):
        reply = live.upload((name, content))
        assert reply.status == 415 and reply.codes() == ["E_CONTENT_TYPE"]


# The websocket


def test_the_websocket_survives_what_a_page_may_send(live):
    async def attack():
        headers = {"Authorization": f"Bearer {live.token}"}
        url = f"http://127.0.0.1:{live.port}/api/ws"
        async with aiohttp.ClientSession(headers=headers) as session:
            for message in ("{", "[]", "null", '{"type": "evil"}', '{"type": "follow"}', "[" * 100_000, "\0",
                            '{"type": "follow", "job": "../../secret", "since": 0}',
                            '{"type": "follow", "job": "x", "since": -1}', '{"type": "follow", "job": 1, "since": "x"}'):  # fmt: skip
                async with session.ws_connect(url) as page:
                    assert (await page.receive_json(timeout=60))["type"] == "hello"
                    with suppress(OSError):  # it may hang up after the first one; the next page is greeted all the same
                        await page.send_str(message)
                        await page.send_bytes(message.encode())
                        await page.ping()
            async with session.ws_connect(url) as page:
                with suppress(OSError):  # the server hangs up while it is still being sent
                    await page.send_str("x" * 10_000_000)
                async for _ in page:
                    pass
                assert page.closed

    asyncio.run(attack())


# Beyond loopback


def test_another_address_is_warned_of_and_still_wants_a_token_and_a_host(tmp_path):
    open_to_all = Live(tmp_path / "workspace", "--host", "0.0.0.0", packs=())
    try:
        assert "other machines" in open_to_all.said() and "SSH tunnel" in open_to_all.said()
        assert open_to_all.request("GET", "/api/hello", token=False).status == 401
        assert open_to_all.request("GET", "/api/hello", headers={"Host": "evil.example"}).status == 403
        assert open_to_all.request("GET", "/api/hello", headers={"Host": "192.0.2.7:80"}).status == 200
        assert open_to_all.request("GET", "/api/hello", headers={"Host": socket.gethostname()}).status == 200
    finally:
        assert open_to_all.close() == 0
