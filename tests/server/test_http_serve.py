"""`hcpgraph serve` as a command, the page it hands out, and the helpers behind it."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hcpgraph.errors import GraphErrors
from hcpgraph.server.helpers.pool import MEMORY, HelperBug, Pool
from hcpgraph.server.http import page

from .live import TOKEN, Live, shared


def serve(*arguments):
    command = [sys.executable, "-m", "hcpgraph.cli", "serve", "--no-browser", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_it_ends_cleanly_and_leaves_no_process(tmp_path):
    live = Live(tmp_path / "workspace", packs=())
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/\?token={TOKEN}", live.url)
    live.post("/api/check", {"graph": {"format": "hcpgraph/1", "nodes": {}, "edges": {}}})
    children = []
    if os.path.isdir("/proc"):
        text = Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text()
        children = [int(pid) for pid in text.split()]
        assert children
    assert live.close(signal.SIGINT) == 0
    assert "Traceback" not in live.said()
    for _ in range(200):
        left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        if not left:
            break
        time.sleep(0.05)
    assert not left


@pytest.mark.slow
def test_the_token_is_new_at_every_start_and_a_closed_terminal_ends_it_too(tmp_path):
    command = [sys.executable, "-m", "hcpgraph.cli", "serve", "--no-browser", "--port", "0"]
    found = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        process = subprocess.Popen(
            [*command, "--workspace", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        found.append(process.stdout.readline().decode().partition("token=")[2].strip())
        process.send_signal(number)
        assert process.wait(60) == 0
        process.stdout.close()
    assert len(set(found)) == 2 and all(len(token) >= 32 for token in found)


def test_a_taken_port_a_weak_token_and_a_missing_pack_are_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = serve("--port", str(taken.getsockname()[1]), "--workspace", str(tmp_path))
    assert done.returncode == 2 and "cannot listen" in done.stderr and "--port 0" in done.stderr
    assert "Traceback" not in done.stderr and "http" not in done.stdout
    weak = serve("--token", "short")
    assert weak.returncode == 2 and "--token" in weak.stderr
    lost = serve("--pack", str(tmp_path / "nowhere"))
    assert lost.returncode == 2 and "E_PACK" in lost.stderr


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "STATIC", tmp_path)
    app = web.Application()
    page.add(app)

    async def fetch():
        async with TestClient(TestServer(app)) as client:
            reply = await client.get("/")
            return reply.status, await reply.text()

    status, text = asyncio.run(fetch())
    assert status == 503 and "make web" in text


def test_a_built_page_is_kept_by_the_browser_as_long_as_it_may(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><p>editor")
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    (tmp_path / "assets" / "secret.py").write_text("1")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path.parent / "outside.js").write_text("1")
    (tmp_path / "assets" / "link.js").symlink_to(tmp_path.parent / "outside.js")
    monkeypatch.setattr(page, "STATIC", tmp_path)
    app = web.Application()
    page.add(app)

    async def fetch():
        async with TestClient(TestServer(app)) as client:
            paths = ("/", "/assets/index-abc.js", "/icon.svg", "/assets/secret.py", "/assets/link.js", "/assets")
            return {path: (r.status, r.headers) for path in paths for r in [await client.get(path)]}

    found = asyncio.run(fetch())
    assert found["/"][0] == 200 and found["/"][1]["Cache-Control"] == "no-cache"
    assert "immutable" in found["/assets/index-abc.js"][1]["Cache-Control"]
    assert found["/assets/index-abc.js"][1]["Content-Type"].startswith("text/javascript")
    assert found["/icon.svg"][1]["Cache-Control"] == "no-cache"
    assert {path: found[path][0] for path in ("/assets/secret.py", "/assets/link.js", "/assets")} == {
        "/assets/secret.py": 404,
        "/assets/link.js": 404,
        "/assets": 404,
    }


def test_the_page_that_ships_has_no_inline_script():
    index = page.STATIC / "index.html"
    if not index.is_file():
        pytest.skip("the editor is not built: make web")
    for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", index.read_text(), re.DOTALL):
        assert "src=" in attributes and not content.strip()


def test_an_error_of_the_server_is_told_without_its_traceback():
    live = shared()
    reply = live.request("GET", "/api/nowhere")
    assert (reply.status, reply.codes()) == (404, ["E_NOT_FOUND"])
    reply = live.request("PATCH", "/api/check")
    assert (reply.status, reply.codes()) == (405, ["E_METHOD"])


def in_pool(use, **options):
    async def run():
        pool = Pool(**options)
        try:
            return await use(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


@pytest.mark.slow
def test_a_helper_that_dies_or_hangs_is_replaced():
    async def use(pool):
        with pytest.raises(GraphErrors, match="E_BUSY"):
            await pool.run(os._exit, 9)
        assert await pool.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(GraphErrors, match="E_BUSY"):
            await pool.run(time.sleep, 1000)
        assert await pool.run(divmod, 9, 2) == (4, 1)

    in_pool(use, size=1, seconds=6.0)


def hungry(size):
    return len(bytearray(size))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not hold to the limit here")
def test_a_helper_has_so_much_memory_and_no_more():
    async def use(pool):
        assert await pool.run(hungry, 1 << 30) == 1 << 30
        with pytest.raises(GraphErrors, match="E_TOO_LARGE"):
            await pool.run(hungry, MEMORY)
        assert await pool.run(hungry, 1) == 1

    in_pool(use, size=1)


def test_what_a_helper_prints_and_raises_does_not_disturb_its_answers():
    async def use(pool):
        assert await pool.run(print, "x" * 100_000) is None
        with pytest.raises(HelperBug, match="ZeroDivisionError"):
            await pool.run(divmod, 1, 0)
        return await asyncio.gather(*(pool.run(divmod, number, 3) for number in range(20)))

    assert in_pool(use) == [divmod(number, 3) for number in range(20)]
