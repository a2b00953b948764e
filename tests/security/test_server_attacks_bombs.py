"""Attacks on a running server: bodies, pictures, weights and uploads that are made to cost it memory or time."""

import io
import json
import socket
import struct
import time
import zlib

import pytest
from PIL import Image

from tests.server.live import BOUNDARY, MULTIPART, multipart

from .attacking import EMPTY, live, still_there

__all__ = ["live", "still_there"]  # fixtures


def checked(live, body):
    return live.request("POST", "/api/check", body, {"Content-Type": "application/json"})


def octets(live, body):
    return live.request("POST", "/api/import", body, {"Content-Type": "application/octet-stream"})


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"[" * 1_000_000, {"E_TOO_DEEP"}),
        (b'{"graph":' * 100_000, {"E_TOO_DEEP"}),
        (b'{"graph":' + b"[" * 40 + b"]" * 40 + b"}", {"E_TOO_DEEP"}),
        (b'{"graph": {"format": "hcpgraph/1", "format": "hcpgraph/1"}}', {"E_JSON_DUPLICATE_KEY"}),
        (b'{"graph": NaN}', {"E_JSON_NAN"}),
        (b'{"graph": ' + b"9" * 100_000 + b"}", {"E_NUMBER"}),
        (b'{"graph": 1e999}', {"E_NUMBER"}),
        (b'"' + b"\\u0000" * 100_000, {"E_JSON"}),
        (b'{"graph": "\\ud800"}', {"E_JSON"}),
        (b"\xff\xfe\x00", {"E_JSON"}),
        (b"", {"E_JSON"}),
        (b"null", {"E_FIELD"}),
        (b"{}", {"E_FIELD"}),
        (b'{"graph": {"__proto__": {"polluted": 1}}}', {"E_FORMAT"}),
    ],
    ids=range(14),
)
def test_hostile_json_is_told_and_costs_nothing(live, body, codes):
    if not body:
        reply = live.request("POST", "/api/check", body, {"Content-Type": "application/json"})
    else:
        reply = checked(live, body)
    assert reply.status == 422 and set(reply.codes()) == codes


def test_a_body_beyond_its_limit_is_not_read(live):
    for path, kind, limit in (
        ("/api/check", "application/json", 9 * 2**20),
        ("/api/graph-move", "application/json", 9 * 2**20),
        ("/api/import", "application/octet-stream", 65 * 2**20),
    ):
        head = {"Content-Type": kind, "Content-Length": str(limit)}
        sent = {"Host": f"127.0.0.1:{live.port}", "Authorization": f"Bearer {live.token}", **head}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode())
            answer = connection.recv(65536)
        assert answer.split(b" ")[1] == b"413", "told before a byte of the body was sent"


def test_a_body_without_a_length_is_counted(live):
    head = f"POST /api/check HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {live.token}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(64):
                connection.sendall(block)
        except OSError:
            pass
        answer = b""
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            return
    assert answer.split(b" ")[1] == b"413"


def test_a_graph_of_a_million_problems_is_a_thousand_problems(live):
    nodes = {f"a {i}": 1 for i in range(19_000)}
    reply = checked(live, json.dumps({"graph": {**EMPTY, "nodes": nodes}}).encode())
    assert reply.status == 422 and len(reply.json()["problems"]) <= 1000
    nodes = {f"a{i}": {"type": "t", "version": 1} for i in range(30_000)}
    reply = checked(live, json.dumps({"graph": {**EMPTY, "nodes": nodes}}).encode())
    assert reply.codes() == ["E_TOO_MANY_NODES"]


def test_subgraphs_that_multiply_are_told(live):
    def body(inner):
        return {**{"nodes": {f"i{n}": {"type": f"graph:{inner}", "version": 1} for n in range(20)}}, "edges": {}}

    graphs = {f"g{level}": body(f"g{level + 1}") for level in range(12)}
    graphs["g12"] = {"nodes": {"n": {"type": "toy.number", "version": 1}}, "edges": {}}
    nodes = {"top": {"type": "graph:g0", "version": 1}}
    reply = checked(live, json.dumps({"graph": {**EMPTY, "nodes": nodes, "graphs": graphs}}).encode())
    assert reply.status == 200 and not reply.json()["ok"]


def png(width, height, *chunks):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


ZEROS = zlib.compress(bytes(50_000_000), 9)
BOMBS = {
    "a packed text": png(1, 1, (b"zTXt", b"hcpgraph\0\0" + ZEROS)),
    "a packed international text": png(1, 1, (b"iTXt", b"hcpgraph\0\1\0\0\0" + ZEROS)),
    "a length beyond the file": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31 - 1) + b"tEXthcpgraph\0",
    "empty chunks": b"\x89PNG\r\n\x1a\n" + (struct.pack(">I", 0) + b"abCd" + b"\0\0\0\0") * 500_000,
    "a header of weights": struct.pack("<Q", 2**31) + b"{" + b" " * 1000,
    "a deep header of weights": struct.pack("<Q", 200_000) + b'{"a":' * 40_000,
    "a zip": b"PK\x03\x04" + ZEROS,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_that_is_dropped_on_the_page_is_told(live, name):
    reply = octets(live, BOMBS[name])
    assert reply.status in (413, 422)
    assert set(reply.codes()) <= {"E_TOO_LARGE", "E_FILE", "E_JSON", "E_TOO_DEEP"}
    (live.workspace / "out" / "bomb.png").write_bytes(BOMBS[name])
    assert live.request("GET", "/api/file-graph?uri=out:bomb.png").status in (413, 422)
    assert live.request("GET", "/api/thumb?uri=out:bomb.png&size=64").status in (413, 422)


def test_a_picture_of_too_many_pixels_has_no_thumbnail(live):
    (live.workspace / "out" / "huge.png").write_bytes(png(100_000, 100_000, (b"IDAT", ZEROS)))
    reply = live.request("GET", "/api/thumb?uri=out:huge.png&size=64")
    assert reply.status == 413 and reply.codes() == ["E_TOO_LARGE"]
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "TIFF")
    (live.workspace / "out" / "tiff.png").write_bytes(out.getvalue())
    assert live.request("GET", "/api/thumb?uri=out:tiff.png&size=64").codes() == ["E_PICTURE"], "a rarely used decoder"


def test_hostile_uploads_leave_nothing(live):
    uploads = live.workspace / "data" / "uploads"
    before = set(uploads.rglob("*")) if uploads.is_dir() else set()
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    bodies = {
        "half a part": multipart([("root", None, b"data")])[:-20],
        "no parts": b"",
        "no name": f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        "an unknown part": multipart([("root", None, b"data"), ("evil", None, b"x")]),
        "root after the file": multipart([("file", "x.txt", b"x"), ("root", None, b"models")]),
        "a long root": multipart([("root", None, b"d" * 100_000)]),
        "a part of parts": f'{part}"file"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--{BOUNDARY}--\r\n'.encode(),
        "many headers": f"--{BOUNDARY}\r\n".encode() + b"X: y\r\n" * 100_000 + b"\r\nx\r\n",
        "not the boundary": b"--other\r\n\r\nx\r\n--other--\r\n",
        "a file that ends early": multipart([("root", None, b"data"), ("file", "x.txt", b"x" * 5000)])[:3000],
    }
    for name, body in bodies.items():
        reply = live.request("POST", "/api/upload", body, {"Content-Type": MULTIPART})
        assert reply.status in (400, 413, 422), (name, reply.status, reply.body)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 100):
        assert live.request("POST", "/api/upload", b"x", {"Content-Type": kind}).status in (400, 422)
    left = set(uploads.rglob("*")) if uploads.is_dir() else set()
    assert left == before


def test_an_upload_that_breaks_off_leaves_nothing(live):
    body = multipart([("root", None, b"data"), ("file", "x.txt", b"x" * 1_000_000)])
    head = f"POST /api/upload HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {live.token}\r\n"
    head += f"Content-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    uploads = live.workspace / "data" / "uploads"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        connection.sendall(head.encode() + body[:500_000])
        for _ in range(600):
            if uploads.is_dir() and list(uploads.glob(".part-*")):
                break
            time.sleep(0.05)
        else:
            pytest.fail("it has not begun")
    for _ in range(600):
        if not list(uploads.glob(".part-*")):
            return
        time.sleep(0.05)
    pytest.fail("half an upload is left")
