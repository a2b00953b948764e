"""Attacks on a running server: ways out of its folders, and headers and content types that mean something else."""

import json
import zlib
from urllib.parse import quote

import pytest

from .attacking import EMPTY, SECRET, live, raw, still_there

__all__ = ["live", "still_there"]  # fixtures

# Ways out of a root


OUT = ["../secret.txt", "..", "../", "a/../../secret.txt", "/etc/passwd", "//etc/passwd", "\\..\\..\\secret.txt",
       "..\\secret.txt", "C:\\secret.txt", "C:/secret.txt", "....//secret.txt/../../../secret.txt", "./../secret.txt",
       "x\0/../../secret.txt", "secret.txt\0.png", "../secret.txt\0.png", "%2e%2e/secret.txt", "..%2fsecret.txt",
       "~/secret.txt", "file:///etc/passwd", " ../secret.txt", "..;/secret.txt", "\u2025/secret.txt", "..\u2215secret.txt",
       "\uff0e\uff0e/secret.txt"]  # fmt: skip
ENCODED = ["data:%252e%252e/secret.txt", "data:..%252fsecret.txt", "data:%c0%ae%c0%ae/secret.txt",
           "data:%2e%2e%5csecret.txt", "data%3A../secret.txt", "data:%00../secret.txt", "%2e%2e/secret.txt"]  # fmt: skip
READING = ["/api/file?uri={}", "/api/files?uri={}", "/api/thumb?uri={}&size=64", "/api/file-graph?uri={}"]


@pytest.mark.parametrize("way", OUT, ids=ascii)
def test_no_way_leads_out_of_a_root(live, way):
    for root in ("data:", "out:", "models:", "runs:", "builtin:", "", "nowhere:", "cache:", "DATA:"):
        for path in READING:
            reply = live.request("GET", path.format(quote(root + way, safe="")))
            # a folder of results that no run has made yet is an empty one, whatever its name
            assert reply.status in (404, 422) or (root, reply.body) == ("out:", b"[]"), (path, root)
            assert SECRET not in reply.body and b"root:" not in reply.body.replace(b"root:relative", b"")
        assert live.request("DELETE", f"/api/file?uri={quote(root + way, safe='')}").status in (404, 422)
    assert (live.workspace.parent / "secret.txt").read_bytes() == SECRET


@pytest.mark.parametrize("way", ENCODED)
def test_no_encoding_leads_out_of_a_root(live, way):
    for path in READING:
        reply = live.request("GET", path.format(way))
        assert reply.status in (400, 404, 422) and SECRET not in reply.body


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../../secret.txt", "//etc/passwd",
     "/assets/%2e%2e%2f%2e%2e%2f__init__.py", "/__init__.py", "/..\\app.py", "/assets/..%5c..%5capp.py", "/%00",
     "/index.html%00.js", "/../app.py", "/static/../app.py", "/api/../app.py", "/%2fetc%2fpasswd", "/.git/config"],
)  # fmt: skip
def test_the_static_files_are_those_of_the_page_only(live, path):
    reply = live.request("GET", path)
    assert reply.status in (400, 403, 404), reply.body[:200]
    assert b"import" not in reply.body and SECRET not in reply.body


NAMES = ["..", "../x", "a/../../x", "/etc/x", ".hidden", "a/.hidden", "x\0", "x\0.json", "a\\b", "C:x", "a//b", "a/",
         " x", "x ", "x.", "a|b", "x\n", "x\r\nSet-Cookie: a=b", "x" * 201, "a/" * 60 + "x", "*", "\ufffd"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_of_a_graph_is_a_name_and_nothing_else(live, name):
    path = f"/api/graphs/{quote(name.encode(errors='surrogateescape'), safe='')}"
    for reply in (
        live.request("PUT", path, json_body={"graph": EMPTY, "etag": None}),
        live.request("GET", path),
        live.request("DELETE", path),
    ):
        assert reply.status in (400, 404, 422), reply.body[:200]
        assert "Set-Cookie" not in reply.headers
    for fields in ({"from": name, "to": "y"}, {"from": "y", "to": name}):
        assert live.request("POST", "/api/graph-move", json_body={**fields, "etag": None}).status in (404, 422)


def test_links_of_the_user_are_followed_for_reading_alone(live):
    """In `data:` and `models:`; nothing is deleted, replaced or written through one."""
    data, secret = live.workspace / "data", live.workspace.parent / "secret.txt"
    (data / "uploads").mkdir(exist_ok=True)
    for folder in (data, data / "uploads"):
        (folder / "linked").symlink_to(live.workspace.parent)
    try:
        assert live.file("data:linked/secret.txt").body == secret.read_bytes()
        assert "linked" in [entry["name"] for entry in live.get("/api/files?uri=data:", "FileEntry[]")]
        for uri in ("data:linked/secret.txt", "data:uploads/linked/secret.txt", "data:uploads/linked", "data:linked"):
            reply = live.request("DELETE", f"/api/file?uri={quote(uri)}")
            assert reply.status in (403, 422) and reply.codes() == ["E_PATH"], reply.body[:200]
        assert secret.exists()
    finally:
        for folder in (data, data / "uploads"):
            (folder / "linked").unlink()


def test_links_of_results_that_lead_out_are_not_followed(live):
    data = live.workspace / "out"
    data.mkdir(exist_ok=True)
    (data / "link.txt").symlink_to(live.workspace.parent / "secret.txt")
    (data / "folder").symlink_to(live.workspace.parent)
    (data / "loop").symlink_to(data / "loop")
    (data / "inner.txt").write_bytes(b"inner")
    (data / "fine.txt").symlink_to(data / "inner.txt")
    try:
        for uri in ("out:link.txt", "out:folder/secret.txt", "out:folder", "out:folder/workspace"):
            for path in READING:
                reply = live.request("GET", path.format(quote(uri)))
                assert reply.status in (404, 422) and SECRET not in reply.body, uri
        names = [entry["name"] for entry in live.get("/api/files?uri=out:", "FileEntry[]")]
        assert "link.txt" not in names and "folder" not in names and "loop" not in names and "fine.txt" in names
        assert live.file("out:fine.txt").body == b"inner"
    finally:
        for name in ("link.txt", "folder", "loop", "fine.txt", "inner.txt"):
            (data / name).unlink()


def test_a_linked_folder_of_graphs_leads_nowhere(live):
    graphs = live.workspace / "graphs"
    graphs.mkdir(exist_ok=True)
    (graphs / "out").symlink_to(live.workspace.parent)
    (graphs / "leak.json").symlink_to(live.workspace.parent / "secret.txt")
    try:
        saved = live.request("PUT", "/api/graphs/out/x", json_body={"graph": EMPTY, "etag": None})
        assert saved.status == 422 and saved.codes() == ["E_PATH"]
        leak = live.request("GET", "/api/graphs/leak")
        assert leak.status == 422 and SECRET not in leak.body
        assert not {"leak", "out/x"} & {entry["name"] for entry in live.get("/api/graphs")}
    finally:
        (graphs / "out").unlink()
        (graphs / "leak.json").unlink()


def test_what_the_server_keeps_for_itself_is_not_shown(live):
    live.get("/api/jobs")
    assert list((live.workspace / "cache").rglob("*.sqlite")), "there is something to hide"
    for uri in ("cache:", "cache:server/jobs.sqlite", "cache:server", "data:.hidden", "data:a/.b/c", "out:.git/config"):
        for path in READING:
            assert live.request("GET", path.format(quote(uri))).status in (404, 422)


UPLOADED = ["../x.txt", "a/../../x.txt", "/etc/x.txt", "a\\..\\..\\x.txt", "C:/x.txt", "x\0.txt", "a//x.txt",
            "./x.txt", "~/x.txt/..", "x.txt/", "a/b/c/d/e/f/g/h/i/x.txt", "a" * 201 + ".txt", "x:y.txt", "x\x07.txt"]  # fmt: skip


@pytest.mark.parametrize("name", UPLOADED, ids=ascii)
def test_an_upload_lands_below_uploads_or_nowhere(live, name):
    """aiohttp takes leading slashes and backslashes away from names: then it is an ordinary upload."""
    uploads = live.workspace / "data" / "uploads"
    before = set(uploads.rglob("*")) if uploads.is_dir() else set()
    for folder in (None, "f"):
        reply = live.upload((name, b"x"), folder=folder)
        if name[0] != "/" and "\\" not in name:
            assert reply.status in (400, 422), reply.body
        if reply.status == 200:
            assert live.request("DELETE", f"/api/file?uri={quote(reply.json()['uri'])}").status == 200
    after = set(uploads.rglob("*")) if uploads.is_dir() else set()
    assert after == before


@pytest.mark.parametrize("folder", ["..", "../x", "/x", "a\0b", "C:", ".", "x/.."])
def test_an_uploaded_folder_has_a_plain_name(live, folder):
    assert live.upload(("x.txt", b"x"), folder=folder).status in (400, 422)


# Headers and content types


KINDS = ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data", "",
         "application/json, text/plain", "application/jsonp", "text/json", "application/octet-stream", "*/*"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_only_json_is_taken_where_json_is_meant(live, kind):
    """A form of another site can send the first three without being asked."""
    body = json.dumps({"graph": EMPTY}).encode()
    for method, path in (("POST", "/api/check"), ("PUT", "/api/graphs/typed"), ("POST", "/api/jobs")):
        reply = live.request(method, path, body, {"Content-Type": kind})
        assert reply.status == 415 and reply.codes() == ["E_CONTENT_TYPE"]
    assert live.request("POST", "/api/check", body).status == 415, "none at all"
    assert live.request("POST", "/api/check", body, {"Content-Type": ["application/json", kind]}).status in (400, 415)
    for right in ("application/json; charset=utf-8", "Application/JSON"):
        assert live.request("POST", "/api/check", body, {"Content-Type": right}).status == 200
    for path in ("/api/import", "/api/upload"):
        reply = live.request("POST", path, body, {"Content-Type": "application/json"})
        assert reply.status == 415


def test_a_packed_body_is_refused(live):
    body = zlib.compress(json.dumps({"graph": EMPTY, "x": "0" * 10_000_000}).encode())
    for coding in ("gzip", "deflate", "br"):
        headers = {"Content-Type": "application/json", "Content-Encoding": coding}
        assert live.request("POST", "/api/check", body, headers).status in (400, 415)


def test_a_file_name_cannot_write_headers(live):
    names = ["a\r\nSet-Cookie: x=1.txt", 'a"; filename=evil.html.txt', "a\nb.txt", "a;b.txt", "a'b.txt", "猫.txt"]
    for name in names:
        (live.workspace / "out" / name).write_bytes(b"x")
        reply = live.file(f"out:{name}")
        assert reply.status in (200, 422)
        assert "Set-Cookie" not in reply.headers
        if reply.status == 200:
            assert reply.headers.get_all("Content-Disposition") == [
                f"attachment; filename*=UTF-8''{quote(name, safe='')}"
            ]
        (live.workspace / "out" / name).unlink()
    for path in ("/api/nowhere%0d%0aSet-Cookie:%20x=1", "/%0d%0aSet-Cookie:%20x=1", "/api/file?uri=%0d%0aX:%20y"):
        reply = live.request("GET", path)
        assert reply.status in (400, 404, 422) and "Set-Cookie" not in reply.headers and "X" not in reply.headers


def test_requests_are_not_smuggled(live):
    host = f"Host: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {live.token}\r\nContent-Type: application/json\r\n"
    hidden = "GET /api/hello HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    for lengths in (
        "Content-Length: 4\r\nContent-Length: 40\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1_0\r\n",
    ):
        answer = raw(live, f"POST /api/check HTTP/1.1\r\n{host}{lengths}\r\n0\r\n\r\n{hidden}".encode())
        assert answer.split(b" ")[1] in (b"400", b"403", b"413", b"422"), answer[:300]
    assert raw(live, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").split(b" ")[1] == b"400"
    assert b" 400 " in raw(live, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n").split(b"\r\n")[0]
