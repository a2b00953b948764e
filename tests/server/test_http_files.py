"""Files of the workspace: what is listed, shown, uploaded, deleted."""

import hashlib
import io
import json
import struct
from urllib.parse import quote

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hcpgraph.fingerprint import Fingerprints
from hcpgraph.paths import Roots

from .live import shared


@pytest.fixture(scope="module")
def live():
    return shared()


def picture(size=(40, 20), kind="PNG", color=(200, 30, 30), **options):
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind, **options)
    return out.getvalue()


def put(live, uri, content):
    root, _, name = uri.partition(":")
    path = live.workspace / root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def thumb(live, uri, size=64, **more):
    return live.request("GET", f"/api/thumb?uri={quote(uri)}&size={size}", **more)


def test_a_folder_is_listed(live):
    put(live, "data:listed/sub/b.png", picture())
    put(live, "data:listed/a.txt", b"hello")
    put(live, "data:listed/w.safetensors", b"12345678{")
    put(live, "data:listed/.hidden", b"")
    found = live.get("/api/files?uri=data:listed", "FileEntry[]")
    assert [(entry["name"], entry["kind"]) for entry in found] == [
        ("sub", "folder"),
        ("a.txt", "text"),
        ("w.safetensors", "weights"),
    ]
    assert found[0]["count"] == 1 and found[1]["size"] == 5 and found[1]["uri"] == "data:listed/a.txt"
    assert live.get("/api/files?uri=data:listed/sub", "FileEntry[]")[0]["uri"] == "data:listed/sub/b.png"
    roots = live.get("/api/files", "FileEntry[]")
    assert {"data:", "out:", "models:"} <= {entry["uri"] for entry in roots}
    assert live.request("GET", "/api/files?uri=data:nowhere").status == 404
    assert live.request("GET", "/api/files?uri=data:listed/a.txt").codes() == ["E_PATH"]


def test_a_folder_of_results_may_not_be_there_yet(live):
    assert live.get("/api/files?uri=out:not/yet", "FileEntry[]") == []
    assert not (live.workspace / "out/not").exists(), "looking makes no folder"
    assert live.request("GET", "/api/files?uri=out:../data").codes() == ["E_PATH"]
    put(live, "out:written.txt", b"")
    assert live.request("GET", "/api/files?uri=out:written.txt").codes() == ["E_PATH"]


def test_a_picture_is_shown_and_anything_else_is_a_download(live):
    data = picture()
    put(live, "out:shown/cat.png", data)
    put(live, "out:shown/log.txt", b"text")
    shown = live.file("out:shown/cat.png")
    assert shown.body == data and shown.headers["Content-Type"] == "image/png"
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert live.file("out:shown/cat.png", download=1).headers["Content-Disposition"].startswith("attachment")
    text = live.file("out:shown/log.txt")
    assert text.headers["Content-Type"] == "application/octet-stream"
    assert text.headers["Content-Disposition"].startswith("attachment")
    part = live.request("GET", "/api/file?uri=out:shown/cat.png", headers={"Range": "bytes=0-7"})
    assert part.status == 206 and part.body == data[:8]
    again = live.request("GET", "/api/file?uri=out:shown/cat.png", headers={"If-None-Match": shown.headers["ETag"]})
    assert again.status == 304
    assert live.file("out:shown").status == 404 and live.file("out:shown/no.png").status == 404


def test_a_compressed_sibling_is_another_file(live):
    put(live, "out:gz/a.png", picture())
    put(live, "out:gz/a.png.gz", b"something else")
    reply = live.request("GET", "/api/file?uri=out:gz/a.png", headers={"Accept-Encoding": "gzip"})
    assert reply.body == picture() and "Content-Encoding" not in reply.headers


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_thumbnails(live, kind):
    name = f"out:thumbs/a.{kind.lower()}"
    path = put(live, name, picture((400, 100), kind))
    reply = thumb(live, name)
    assert reply.status == 200 and reply.headers["Content-Type"] == "image/webp"
    small = Image.open(io.BytesIO(reply.body))
    assert small.format == "WEBP" and small.size == (64, 16)
    assert abs(small.convert("RGB").getpixel((30, 8))[0] - 200) < 12
    path.write_bytes(picture((100, 400), kind))
    assert Image.open(io.BytesIO(thumb(live, name).body)).size == (16, 64), "a changed file has another thumbnail"
    assert Image.open(io.BytesIO(thumb(live, name, 256).body)).size == (64, 256)


def test_a_thumbnail_stands_as_the_camera_was_held_and_is_not_enlarged(live):
    turned = Image.Exif()
    turned[0x0112] = 6
    put(live, "out:thumbs/turned.jpg", picture((400, 100), "JPEG", exif=turned))
    assert Image.open(io.BytesIO(thumb(live, "out:thumbs/turned.jpg").body)).size == (16, 64)
    put(live, "out:thumbs/tiny.png", picture((8, 4)))
    assert Image.open(io.BytesIO(thumb(live, "out:thumbs/tiny.png").body)).size == (8, 4)


def test_a_thumbnail_that_cannot_be_made_says_why(live):
    put(live, "out:thumbs/broken.png", picture()[:40])
    put(live, "out:thumbs/none.txt", b"x")
    assert thumb(live, "out:thumbs/broken.png").codes() == ["E_PICTURE"]
    assert thumb(live, "out:thumbs/none.txt").codes() == ["E_PICTURE"]
    assert thumb(live, "out:thumbs/none.png").status == 404
    assert thumb(live, "out:thumbs/broken.png", 65).codes() == ["E_FIELD"]


def test_the_graph_in_a_picture_of_the_workspace(live):
    info = PngInfo()
    info.add_itxt("hcpgraph", json.dumps({"format": "hcpgraph/1", "nodes": {}, "edges": {}}))
    put(live, "out:with_graph.png", picture(pnginfo=info))
    assert live.get("/api/file-graph?uri=out:with_graph.png", "Imported")["source"] == "png"
    put(live, "out:without.png", picture())
    assert live.request("GET", "/api/file-graph?uri=out:without.png").codes() == ["E_FILE"]


def test_an_uploaded_file_is_named_by_its_content(live):
    data = picture()
    sha256 = hashlib.sha256(data).hexdigest()
    first = live.shaped(live.upload(("my cat.PNG", data)), "Uploaded")
    assert first == {"uri": f"data:uploads/{sha256[:12]}-my cat.png", "sha256": sha256, "size": len(data)}
    assert live.file(first["uri"]).body == data
    assert live.shaped(live.upload(("my cat.PNG", data))) == first, "the same content is the same file"
    assert live.shaped(live.upload(("猫.png", data)))["uri"] == f"data:uploads/{sha256[:12]}-猫.png"
    header = b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    weights = live.shaped(live.upload(("w.safetensors", struct.pack("<Q", len(header)) + header), root="models"))
    assert weights["uri"].startswith("models:uploads/")
    quantised = live.shaped(live.upload(("w.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 0)), root="models"))
    assert [entry["kind"] for entry in live.get("/api/files?uri=models:uploads")] == ["weights"] * 2
    assert quantised["uri"].endswith("-w.gguf")


def test_an_uploaded_folder_keeps_its_paths_and_is_named_by_its_content(live):
    parts = [("a/1.png", picture()), ("a/1.txt", b"a cat"), ("2.png", picture(color=(0, 0, 0)))]
    first = live.shaped(live.upload(*parts, (".DS_Store", b"x"), ("read.exe", b"MZ"), folder="my cats"), "Uploaded")
    assert first["count"] == 3 and first["skipped"] == [".DS_Store", "read.exe"]
    assert first["uri"] == f"data:uploads/{first['sha256'][:12]}-my cats/"
    roots = Roots(live.workspace)
    assert Fingerprints().of(roots.resolve(first["uri"])) == first["sha256"], "the fingerprint that cache keys use"
    assert live.file(f"{first['uri']}a/1.txt").body == b"a cat"
    assert live.shaped(live.upload(*reversed(parts), folder="my cats"))["uri"] == first["uri"]
    other = live.shaped(live.upload(("my cats/a/1.txt", b"a cat"), folder="my cats"))
    assert live.file(f"{other['uri']}a/1.txt").status == 200, "the folder's own name is not repeated"


def test_a_large_upload_is_whole(live):
    data = bytes(range(256)) * 40_000
    header = b"{}" + b" " * 6
    content = struct.pack("<Q", len(header)) + header + data
    uri = live.shaped(live.upload(("big.safetensors", content), root="models"))["uri"]
    assert hashlib.sha256(live.file(uri).body).hexdigest() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("parts", "options", "code"),
    [
        ([("a.svg", b"<svg/>")], {}, "E_CONTENT_TYPE"),
        ([("a.html", b"<html>")], {}, "E_CONTENT_TYPE"),
        ([("a.png", b"<html>")], {}, "E_CONTENT_TYPE"),
        ([("a.webp", b"RIFF1234AVI ")], {}, "E_CONTENT_TYPE"),
        ([("a.txt", b"a\0b")], {}, "E_CONTENT_TYPE"),
        ([("a.safetensors", b"PK\x03\x04")], {}, "E_CONTENT_TYPE"),
        ([("a.gguf", b"PK\x03\x04")], {}, "E_CONTENT_TYPE"),
        ([(".png", picture())], {}, "E_CONTENT_TYPE"),
        ([("x.exe", b"MZ")], {"folder": "f"}, "E_CONTENT_TYPE"),
        ([], {}, "E_UPLOAD"),
        ([("", picture())], {}, "E_UPLOAD"),
        ([("a.txt", b"1"), ("b.txt", b"2")], {}, "E_UPLOAD"),
        ([("a.txt", b"1"), ("a.txt", b"2")], {"folder": "f"}, "E_UPLOAD"),
        ([("a.txt", b"1")], {"root": "out"}, "E_UPLOAD"),
        ([("a.txt", b"1")], {"folder": ".."}, "E_UPLOAD"),
        ([("a.txt", b"1" * (8 * 2**20 + 1))], {}, "E_TOO_LARGE"),
    ],
)
def test_an_upload_that_is_refused_leaves_nothing(live, parts, options, code):
    before = sorted((live.workspace / "data").rglob("*"))
    reply = live.upload(*parts, **options)
    assert reply.codes() == [code]
    assert reply.status == {"E_CONTENT_TYPE": 415, "E_TOO_LARGE": 413}.get(code, 422)
    assert sorted(path for path in (live.workspace / "data").rglob("*") if path.name != "uploads") == [
        path for path in before if path.name != "uploads"
    ]


def test_only_what_runs_wrote_and_what_was_uploaded_can_be_deleted(live):
    put(live, "out:gone/a.png", picture())
    own = put(live, "data:mine.txt", b"precious")
    uploaded = live.shaped(live.upload(("a.txt", b"to be deleted")))["uri"]

    def delete(uri):
        return live.request("DELETE", f"/api/file?uri={quote(uri)}")

    assert delete("out:gone/a.png").status == 200 and live.file("out:gone/a.png").status == 404
    assert delete("out:gone").status == 200 and delete("out:gone").status == 404
    assert delete(uploaded).status == 200 and live.file(uploaded).status == 404
    for uri in ("data:mine.txt", "out:", "data:uploads", "data:", "runs:x", "builtin:", "out:../data/mine.txt"):
        assert delete(uri).status in (404, 422), uri
    assert own.read_bytes() == b"precious" and (live.workspace / "out").is_dir()
