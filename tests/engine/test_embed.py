"""Graphs inside pictures and weight files: they come back, and nothing private or hostile comes along."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import save_file

from hcpgraph.document import MAX_BYTES, Drawing, Graph, load, loads
from hcpgraph.document.embed import embed_text, scrub
from hcpgraph.errors import GraphErrors
from tests.carriers import png_info, safetensors_metadata


@pytest.fixture
def graph():
    g = Graph()
    g.add("optim.adamw", "adamw", lr=1e-4, big=1e20)
    g.add("text.prompt", "prompt", text="eine Katze, 猫 🐈, café")
    g.connect("prompt.out", "adamw.x", many=False)
    return g


def code(path):
    with pytest.raises(GraphErrors) as caught:
        load(path)
    (problem,) = caught.value.problems
    return problem.code


@pytest.mark.parametrize("text", ["plain", "café", "猫 🐈"])
def test_a_picture_gives_its_graph_back(graph, tmp_path, text):
    graph.set("prompt.text", text)
    path = tmp_path / "picture.bin"
    Image.new("RGB", (64, 64)).save(path, "png", pnginfo=png_info(graph))
    assert load(path) == graph


@pytest.mark.parametrize("add", ["add_text", "add_itxt"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_text_chunk_is_read(graph, tmp_path, add, compressed):
    if add == "add_text":
        graph.set("prompt.text", "café")
    info = PngInfo()
    info.add_text("prompt", "another program's text", zip=True)
    getattr(info, add)("hcpgraph", embed_text(graph), zip=compressed)
    Image.new("RGB", (8, 8)).save(tmp_path / "picture", "png", pnginfo=info)
    assert load(tmp_path / "picture") == graph


def test_a_weight_file_gives_its_graph_back(graph, tmp_path):
    path = tmp_path / "weights.png"
    save_file({"w": np.zeros((4, 4), np.float32)}, path, metadata=safetensors_metadata(graph))
    assert load(path) == graph


def test_files_without_a_graph(tmp_path):
    path = tmp_path / "file"
    Image.new("RGB", (8, 8)).save(path, "png")
    assert code(path) == "E_FILE"
    Image.new("RGB", (8, 8)).save(path, "jpeg")
    assert code(path) == "E_FILE"
    save_file({"w": np.zeros(3, np.float32)}, path)
    assert code(path) == "E_FILE"
    save_file({"w": np.zeros(3, np.float32)}, path, metadata={"other": "x"})
    assert code(path) == "E_FILE"


PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, size=None, check=None):
    size = len(data) if size is None else size
    check = zlib.crc32(kind + data) if check is None else check
    return struct.pack(">I", size) + kind + data + struct.pack(">I", check)


def header(value, size=None):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text


BOMB = zlib.compress(b"[" * (MAX_BYTES + 10))
HOSTILE = {
    "only a signature": (PNG, "E_FILE"),
    "cut": (PNG + b"\0\0", "E_FILE"),
    "a length beyond the end": (PNG + chunk(b"tEXt", b"hcpgraph\0{}", size=5_000_000), "E_FILE"),
    "a huge chunk": (PNG + chunk(b"tEXt", b"hcpgraph\0{}", size=2**31 - 1), "E_TOO_LARGE"),
    "an impossible length": (PNG + chunk(b"tEXt", b"hcpgraph\0{}", size=2**32 - 1), "E_FILE"),
    "a wrong sum": (PNG + chunk(b"tEXt", b"hcpgraph\0{}", check=1), "E_FILE"),
    "after the end": (PNG + chunk(b"IEND", b"") + chunk(b"tEXt", b"hcpgraph\0{}"), "E_FILE"),
    "a bomb in zTXt": (PNG + chunk(b"zTXt", b"hcpgraph\0\0" + BOMB), "E_TOO_LARGE"),
    "a bomb in iTXt": (PNG + chunk(b"iTXt", b"hcpgraph\0\1\0\0\0" + BOMB), "E_TOO_LARGE"),
    "not zlib": (PNG + chunk(b"zTXt", b"hcpgraph\0\0abc"), "E_FILE"),
    "an empty zTXt": (PNG + chunk(b"zTXt", b"hcpgraph\0"), "E_JSON"),
    "an empty iTXt": (PNG + chunk(b"iTXt", b"hcpgraph\0"), "E_JSON"),
    "iTXt that is not UTF-8": (PNG + chunk(b"iTXt", b"hcpgraph\0\0\0\0\0\xff"), "E_FILE"),
    "an empty text": (PNG + chunk(b"tEXt", b"hcpgraph\0"), "E_JSON"),
    "a deep text": (PNG + chunk(b"tEXt", b"hcpgraph\0" + b"[" * 100_000), "E_TOO_DEEP"),
    "a large header": (header({}, size=2**31), "E_TOO_LARGE"),
    "a header beyond the end": (header({"__metadata__": {}}, size=1000), "E_FILE"),
    "a deep header": (header(b'{"a":' * 200_000), "E_FILE"),
    "a header that is not JSON": (header(b"{nonsense"), "E_FILE"),
    "a header that is not UTF-8": (header(b'{"\xff": 1}'), "E_FILE"),
    "a long integer in a header": (header(b'{"a": %s}' % (b"9" * 9999)), "E_FILE"),
    "metadata that is a list": (header({"__metadata__": [1]}), "E_FILE"),
    "a graph that is no text": (header({"__metadata__": {"hcpgraph": {}}}), "E_FILE"),
    "a graph that is no graph": (header({"__metadata__": {"hcpgraph": "{}"}}), "E_FORMAT"),
    "half a surrogate pair": (header({"__metadata__": {"hcpgraph": "\ud800"}}), "E_FILE"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name, tmp_path):
    data, expected = HOSTILE[name]
    (tmp_path / "file").write_bytes(data)
    assert code(tmp_path / "file") == expected


def picture():
    g, file = Graph(), io.BytesIO()
    g.add("a.b", "x", text="猫")
    Image.new("RGB", (4, 4)).save(file, "png", pnginfo=png_info(g))
    return file.getvalue()


GOOD = [picture(), header({"__metadata__": {"hcpgraph": '{"format": "hcpgraph/1"}'}})]


@given(st.sampled_from(GOOD), st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_damaged_files_never_crash(tmp_path_factory, good, place, cut, put):
    path = tmp_path_factory.getbasetemp() / "damaged"
    place %= len(good)
    path.write_bytes(good[:place] + put + good[place + cut :])
    try:
        load(path)
    except GraphErrors as error:
        assert error.problems


PRIVATE = [
    "/home/bob/cats",
    "/home/bob/my cats/1.png",
    "/data",
    "~/cats",
    "~",
    "~bob/cats",
    "C:\\Users\\bob\\cats",
    "c:/Users/bob",
    "\\\\server\\bob\\cats",
    "file:///home/bob/cats",
    "file:bob",
    "$HOME/bob",
    "${HOME}/bob",
    "%USERPROFILE%\\bob",
    "see /home/bob/cats and ~/bob/dogs",
    "look at C:\\Users\\bob\\x",
    "in file:///home/bob",
    "data:/home/bob/x",
    "a\n/home/bob/x\nb",
    "\n/home/bob",
    "key hf_bobABCDEFGHIJKLMNOPQRSTU",
    "https://bob:secret@example.org/x",
]
PUBLIC = [
    "",
    "data:cats",
    "out:cat",
    "hub:org/name@main",
    "builtin:quickstart",
    "https://example.org/a/b?c=d",
    "a cat and/or a dog, 1/2",
    "masterpiece, (cat:1.2), <lora:x:1>",
    "re:.*attn1/to_q",
    "down_blocks.0.attentions",
    "a\nb",
    "a ~ b",
    "50% off",
    "tokens: 5",
    "100:1",
]


def private(text):
    g = Graph(meta={"title": text, "description": text, "authors": [text]})
    g.add("a.b", "x", path=text, inner={"deep": [text, {text: text}]}, title=text)
    g.graphs["g"] = Drawing()
    g.graphs["g"].add("a.b", "y", path=text)
    g.view.notes = [{"text": text}]
    return g


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_private_is_removed(text):
    clean = private(text).dump(), scrub(private(text)).dump(), embed_text(private(text))
    assert "bob" in clean[0] or text in {"/data", "~", "~/cats"}
    for written in clean[1:]:
        assert "bob" not in written
        assert "/data" not in written
        assert "~" not in written
        loads(written)


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_stays(text):
    graph = private(text)
    assert scrub(graph) == graph
    assert loads(embed_text(graph)) == graph


@pytest.mark.parametrize(
    "name", ["token", "hf_token", "password", "db_password", "secret", "client_secret", "api_key", "API_KEY", "apikey"]
)
def test_secret_settings_are_left_out(name):
    g = Graph()
    g.add("a.b", "x", settings={name: "bob", "inner": {name: "bob"}, "lr": 1})
    assert scrub(g).nodes["x"].settings == {"inner": {}, "lr": 1}
    assert g.nodes["x"].settings[name] == "bob"


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "placeholder_token", "key", "monkey", "secretary"])
def test_other_settings_stay(name):
    g = Graph()
    g.add("a.b", "x", settings={name: "cat", "token": 5})
    assert scrub(g) == g


def test_files_by_absolute_path_are_left_out():
    record = {"sha256": "0" * 64, "size": 1}
    g = Graph(requires={"files": {"data:cats/1.png": record, "/home/bob/1.png": record}})
    assert scrub(g).requires.files.keys() == {"data:cats/1.png"}


SCHEMAS = {
    "a.prompt": {"texts": {"type": "array", "items": {"type": "string"}}, "words": {"type": "object",
                 "additionalProperties": {"type": "string"}}, "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "a.file": {"path": {"type": "string", "x-widget": {"kind": "path"}},
               "model": {"type": "string", "x-widget": {"kind": "model"}}, "args": {"type": "object"}},
}  # fmt: skip


def test_texts_stay_and_what_is_declared_as_a_path_goes():
    """A prompt may look like a path; a subgraph's setting is what it is promoted from."""
    style, home = "a cat in /etc/ style, ~/ and/or C:/ /usr/bin", "/home/bob/cats"
    g = Graph()
    prompt = {"texts": [style, home], "words": {"/x/y": style}, "maybe": style}
    g.add("a.prompt", "prompt", settings=prompt)
    g.add("a.file", "file", settings={"path": home, "model": home, "args": {"root": home}})
    inner = g.graphs["g"] = Drawing()
    inner.add("a.prompt", "p")
    inner.add("a.file", "f")
    inner.interface.inputs = {"prompt": ["p.texts"], "file": ["f.path"], "both": ["p.maybe", "f.model"]}
    g.add("graph:g", "instance", settings={"prompt": [style], "file": home, "both": home})
    clean = scrub(g, SCHEMAS.get).nodes
    assert clean["prompt"].settings == prompt
    assert "bob" not in str(clean["file"].settings)
    assert clean["instance"].settings == {"prompt": [style], "file": "removed:path", "both": "removed:path"}
    g.add("a.prompt", "secret", settings={"texts": ["hf_bobABCDEFGHIJKLMNOPQRSTU cat"]})
    assert scrub(g, SCHEMAS.get).nodes["secret"].settings == {"texts": [" cat"]}
    assert loads(embed_text(g, SCHEMAS.get)).nodes["prompt"].settings == prompt
