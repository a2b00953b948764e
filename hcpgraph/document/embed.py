"""A graph inside a picture (PNG text chunk) or a weight file (safetensors header), without private things."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import GraphErrors
from . import canonical, foreign, strict_json
from .fileformat import MAX_BYTES, MAX_DEPTH

if TYPE_CHECKING:
    from .graph import Graph

Schemas = Callable[[str], Mapping[str, Mapping[str, Any]] | None]
"""Node type -> the schemas of its settings; None for a type that nobody knows."""

KEY = "hcpgraph"
REMOVED = "removed:path"

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = KEY.encode() + b"\0"
_MAX_CHUNKS = 1_000_000
_MAX_HEADER = 32 * 2**20
_MAX_OTHER = 4 * 2**20

_SECRET_NAME = re.compile(
    r"(.*[_-])?(passw(or)?d|passphrase|secret|credentials?|(api|access|private|secret|auth)[_-]?key)"
    r"|((.*[_-])?(auth|access|api|hf|hub|bearer|refresh|session)[_-]?)?token",
    re.IGNORECASE,
)
_SECRET = re.compile(r"\b(hf_|sk-|gh[pousr]_|github_pat_|xox[abp]-|AKIA)[A-Za-z0-9_-]{16,}|(?<=://)[^/\s:@]+:[^/\s@]+@")
_IS_PATH = re.compile(
    r"\s*(/(?!/)|~[\w.-]*([/\\]|$)|[A-Za-z]:[/\\]|\\\\\w|file:|\$\{?HOME\b|%(USERPROFILE|HOMEPATH|APPDATA)%)"
)
_HAS_PATH = re.compile(
    r"file:/\S*"
    r"|(?<![\w/.~-])/(?!/)[^/\s]+/\S*"
    r"|(?<![\w/.])~[\w.-]*[/\\]\S*"
    r"|(?<!\w)[A-Za-z]:[/\\](?!/)\S*"
    r"|(?<![\w\\])\\\\\w[^\s\\]*\\\S*"
    r"|(\$\{?HOME\b|%(USERPROFILE|HOMEPATH|APPDATA)%)\S*",
    re.IGNORECASE,
)


def scrub(graph: Graph, schemas: Schemas = lambda type: None) -> Graph:
    """A copy without absolute paths, home directories, file URIs, and without the values of secret settings.

    A path becomes `removed:path`; a setting whose name is that of a secret is left out. A setting that is declared as a
    text and not as a path, such as a prompt, loses keys and passwords alone: "a cat in /etc/ style" is no path.

    Args:
        graph: The graph; it stays as it is.
        schemas: What nodes declare. Settings of unknown nodes are taken for paths where they look like one.
    """
    clean = graph.copy()
    for _, body in clean.bodies():
        for node in body.nodes.values():
            kept = {name for name in node.settings if _is_text(clean, node.type, name, schemas)}
            node.settings = _scrubbed(node.settings, kept)
            node.title = _scrubbed(node.title)
        body.view.notes = _scrubbed(body.view.notes)
        body.view.frames = _scrubbed(body.view.frames)
    meta = clean.meta
    meta.title, meta.description, meta.license = map(_scrubbed, (meta.title, meta.description, meta.license))
    meta.authors = _scrubbed(meta.authors)
    files = clean.requires.files
    clean.requires.files = {path: files[path] for path in files if _text(path) == path}
    for record in clean.requires.files.values():
        record.hub = _scrubbed(record.hub)
    return clean


def embed_text(graph: Graph, schemas: Schemas = lambda type: None) -> str:
    """The graph, scrubbed, as canonical JSON on one line: what is written into pictures and weight files."""
    return canonical.one_line(canonical.graph_value(scrub(graph, schemas)))


def read(file: BinaryIO) -> bytes | str | None:
    """The text of the graph that a picture or a weight file carries, or None for any other file.

    Pixels and weights are not read. The file is at its beginning before, and after where the answer is None.

    Raises:
        GraphErrors: the file is damaged, carries no graph, or one that is too large.
    """
    begin = file.read(9)
    if begin.startswith(_PNG):
        file.seek(len(_PNG))
        return _read_png(file)
    if len(begin) > 8 and begin[8:] == b"{" and int.from_bytes(begin[:8], "little") < 2**32:
        file.seek(8)
        return _read_safetensors(file, int.from_bytes(begin[:8], "little"))
    file.seek(0)
    return None


def _read_png(file: BinaryIO) -> bytes | str:
    others: dict[str, str] = {}
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or kind == b"IEND" or size >= 2**31:
            break
        keyword = file.read(min(size, len(_KEYWORD))) if kind in {b"tEXt", b"zTXt", b"iTXt"} else b""
        if keyword != _KEYWORD:
            others |= _other(kind, keyword, file, size)
            continue
        if size > MAX_BYTES:
            raise _too_large()
        data = file.read(size - len(keyword))
        check = int.from_bytes(file.read(4), "big")
        if zlib.crc32(kind + keyword + data) != check:
            raise GraphErrors.one("E_FILE", "the picture is damaged where its graph is")
        return _png_text(kind, data)
    raise _nothing("picture", foreign.in_picture(others))


def _other(kind: bytes, begin: bytes, file: BinaryIO, size: int) -> dict[str, str]:
    """The text of a chunk that another program wrote, if it is one of those that say what; the next chunk is next."""
    rest = size - len(begin)
    known = any(begin.startswith(name.encode()[: len(begin)]) for name in foreign.CHUNKS) and rest <= _MAX_OTHER
    if not begin or not known:
        file.seek(rest + 4, 1)
        return {}
    keyword, _, data = (begin + file.read(rest)).partition(b"\0")
    file.seek(4, 1)
    name = keyword.decode("latin-1")
    if name not in foreign.CHUNKS:
        return {}
    try:
        text = _png_text(kind, data)
    except GraphErrors:
        return {}
    return {name: text if isinstance(text, str) else text.decode(errors="replace")}


def _png_text(kind: bytes, data: bytes) -> bytes | str:
    if kind == b"tEXt":
        return data.decode("latin-1")
    if kind == b"zTXt":
        return _inflated(data[1:]).decode("latin-1")
    _, _, text = data[2:].split(b"\0", 2) if data[2:].count(b"\0") > 1 else (b"", b"", b"")
    return _inflated(text) if data[:1] == b"\1" else text


def _inflated(data: bytes) -> bytes:
    try:
        text = zlib.decompressobj().decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise GraphErrors.one("E_FILE", "the picture is damaged where its graph is") from None
    if len(text) > MAX_BYTES:
        raise _too_large()
    return text


def _read_safetensors(file: BinaryIO, size: int) -> str:
    if size > _MAX_HEADER:
        raise GraphErrors.one("E_TOO_LARGE", f"the header has {size} bytes; {_MAX_HEADER} are read at most")
    try:
        text = file.read(size).decode()
        header = json.loads(text) if strict_json.depth(text) <= MAX_DEPTH else None
    except ValueError:
        raise GraphErrors.one("E_FILE", "the header of the weight file is damaged") from None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    graph = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(graph, str):
        known = metadata if isinstance(metadata, dict) else {}
        texts = {name: value for name, value in known.items() if isinstance(value, str)}
        raise _nothing("weight file", foreign.in_weights(texts))
    return graph


def _nothing(what: str, other: tuple[str, str] | None) -> GraphErrors:
    if other is not None:
        return foreign.refused(other)
    hint = "only files that hcpgraph wrote carry one; other programs may have removed it"
    return GraphErrors.one("E_FILE", f"there is no graph in this {what}", hint=hint)


def _too_large() -> GraphErrors:
    return GraphErrors.one("E_TOO_LARGE", f"a graph has at most {MAX_BYTES // 2**20} MB")


def _is_text(graph: Graph, type: str, setting: str, schemas: Schemas, depth: int = 0) -> bool:
    """Whether a setting is declared as a text; one of a subgraph is what it is promoted from."""
    inner = graph.graphs.get(type.removeprefix("graph:")) if type.startswith("graph:") else None
    if inner is None:
        return _declares_text((schemas(type) or {}).get(setting, {}))
    targets = [target.partition(".") for target in inner.interface.inputs.get(setting, ())]
    found = [
        id in inner.nodes and depth < MAX_DEPTH and _is_text(graph, inner.nodes[id].type, name, schemas, depth + 1)
        for id, _, name in targets
    ]
    return bool(found) and all(found)


def _declares_text(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or schema.get("x-widget", {}).get("kind") in ("path", "model"):
        return False
    if several := schema.get("anyOf"):
        return all(_declares_text(each) for each in several if each.get("type") != "null")
    inner = {"array": "items", "object": "additionalProperties"}.get(schema.get("type", ""))
    return schema.get("type") == "string" if inner is None else _declares_text(schema.get(inner))


def _scrubbed(value: Any, texts: frozenset[str] | set[str] = frozenset(), kept: bool = False) -> Any:
    """The value without what is private; `texts` are the entries whose words stay, `kept` says so of all of them."""
    if isinstance(value, str):
        return _SECRET.sub("", value) if kept else _text(value)
    if isinstance(value, list):
        return [_scrubbed(item, kept=kept) for item in value]
    if isinstance(value, dict):
        return {
            name if kept else _text(name): _scrubbed(item, kept=kept or name in texts)
            for name, item in value.items()
            if not (isinstance(item, str) and _SECRET_NAME.fullmatch(name))
        }
    return value


def _text(text: str) -> str:
    if _IS_PATH.match(text) and "\n" not in text.strip():
        return REMOVED
    return _SECRET.sub("", _HAS_PATH.sub(REMOVED, text))
