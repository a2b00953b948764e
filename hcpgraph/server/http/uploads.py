"""Files that a page sends: pictures, captions, weights. Streamed to the disk, named by their content.

A single file becomes `data:uploads/<sha12>-name`, a folder `data:uploads/<sha12>-NAME/`: the name means the content,
and the same content has the same name. Nothing is in its place before it is whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Literal

from aiohttp import BodyPartReader, MultipartReader

from ... import private
from ...errors import HIDDEN, GraphErrors
from ...paths import Roots
from ..schema.wire import Uploaded

Kind = Literal["image", "text", "weights"]

ROOTS = ("data", "models")
UPLOADS = "uploads"
PART = ".part-"
LIMITS: dict[Kind, int] = {"image": 64 * 2**20, "text": 8 * 2**20, "weights": 64 * 2**30}
MAX_FILES = 50_000
MAX_DEPTH = 8
BLOCK = 1 << 20
FIELD = 256

TYPES: dict[str, Kind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"), "image"),
    **dict.fromkeys((".txt", ".caption", ".json", ".jsonl", ".csv"), "text"),
    **dict.fromkeys((".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin"), "weights"),
}
MAGIC: dict[str, tuple[bytes, ...]] = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".webp": (b"RIFF",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".bmp": (b"BM",),
    ".gguf": (b"GGUF",),
    ".ckpt": (b"PK\x03\x04", b"\x80"),
    ".pt": (b"PK\x03\x04", b"\x80"),
    ".pth": (b"PK\x03\x04", b"\x80"),
    ".bin": (b"PK\x03\x04", b"\x80"),
}
"""How files of a type begin. Pickles are only ever read with `weights_only=True`."""
_SEGMENT = re.compile(rf"[^\t\n\r{HIDDEN}\\:*?\"<>|/]{{1,200}}")
_NOT_PLAIN = re.compile(r"[^\w.()+ -]+")


@dataclass
class _File:
    path: str
    size: int
    sha256: str


@dataclass
class _Batch:
    """An upload on its way."""

    roots: Roots
    root: str = "data"
    folder: str | None = None
    place: Path | None = None
    files: list[_File] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


async def receive(reader: MultipartReader, roots: Roots) -> Uploaded:
    """Take the parts `root`, `folder` and `file`, in this order, and give the address of what came.

    Raises:
        GraphErrors: E_UPLOAD (a part is missing, unknown, or out of order; a bad name), E_CONTENT_TYPE (a type that
            is not taken, or a file that is not what its name says), E_TOO_LARGE, E_DISK.
    """
    batch = _Batch(roots)
    try:
        while (part := await _next(reader)) is not None:
            if not isinstance(part, BodyPartReader) or part.name not in ("root", "folder", "file"):
                raise GraphErrors.one("E_UPLOAD", "an upload has the parts root, folder and file")
            if part.name == "file":
                await _take(part, batch)
            elif batch.place is not None:
                raise GraphErrors.one("E_UPLOAD", f"{part.name} comes before the first file")
            elif part.name == "root":
                batch.root = await _text(part)
                if batch.root not in ROOTS:
                    raise GraphErrors.one("E_UPLOAD", "uploads go to data or models", hint="root is one of them")
            else:
                batch.folder = _segments(await _text(part))[-1]
        if not batch.files:
            hint = f"taken are {', '.join(sorted(TYPES))}"
            code = "E_CONTENT_TYPE" if batch.skipped else "E_UPLOAD"
            raise GraphErrors.one(code, "there is no file in this upload that can be used", hint=hint)
        return await asyncio.to_thread(_settle, batch)
    except OSError as error:
        raise GraphErrors.one("E_DISK", f"the upload cannot be written: {error.strerror or error}") from None
    finally:
        if batch.place is not None:
            await asyncio.to_thread(shutil.rmtree, batch.place, ignore_errors=True)


async def _next(reader: MultipartReader) -> MultipartReader | BodyPartReader | None:
    try:
        return await reader.next()
    except (ValueError, private.malformed_request()) as error:
        raise GraphErrors.one(
            "E_UPLOAD", f"the upload is malformed: {str(error) or type(error).__name__}"[:200]
        ) from None


async def _text(part: BodyPartReader) -> str:
    data = bytearray()
    while chunk := await part.read_chunk(FIELD):
        data += chunk
        if len(data) > FIELD:
            raise GraphErrors.one("E_TOO_LARGE", f"{part.name} has more than {FIELD} bytes")
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        raise GraphErrors.one("E_UPLOAD", f"{part.name} is no text") from None


async def _take(part: BodyPartReader, batch: _Batch) -> None:
    """Stream one file to its place in the batch's own folder."""
    segments = _segments(part.filename or "")
    name = "/".join(segments)
    if batch.folder is None and batch.files:
        raise GraphErrors.one("E_UPLOAD", "several files make a folder", hint="give its name in the part folder")
    if len(batch.files) + len(batch.skipped) >= MAX_FILES:
        raise GraphErrors.one("E_TOO_LARGE", f"an upload has at most {MAX_FILES} files")
    suffix = Path(name).suffix.lower()
    kind = TYPES.get(suffix)
    if kind is None or any(segment.startswith(".") for segment in segments):
        if batch.folder is None:
            hint = f"taken are {', '.join(sorted(TYPES))}"
            raise GraphErrors.one("E_CONTENT_TYPE", f"'{name}' is of a type that is not taken", hint=hint)
        batch.skipped.append(name)
        while await part.read_chunk(BLOCK):
            pass
        return
    if batch.place is None:
        batch.place = batch.roots.root(batch.root) / UPLOADS / f"{PART}{token_hex(8)}"
        await asyncio.to_thread(batch.place.mkdir, parents=True)
    path = batch.place / name
    if path.exists():
        raise GraphErrors.one("E_UPLOAD", f"'{name}' comes twice")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    with path.open("xb") as file:
        size, sha256 = await _stream(part, file, name, suffix, LIMITS[kind])
    batch.files.append(_File(name, size, sha256))


async def _stream(part: BodyPartReader, file: BinaryIO, name: str, suffix: str, limit: int) -> tuple[int, str]:
    digest, size, block, first = hashlib.sha256(), 0, bytearray(), True

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    while True:
        chunk = await part.read_chunk(BLOCK)
        block += chunk
        size += len(chunk)
        if size > limit:
            raise GraphErrors.one("E_TOO_LARGE", f"'{name}' has more than {limit // 2**20} MB, the limit of its type")
        if len(block) >= BLOCK or not chunk:
            if first:
                _sniff(name, suffix, bytes(block))
                first = False
            elif TYPES[suffix] == "text" and b"\0" in block:
                raise _not_what(name)
            await asyncio.to_thread(write, bytes(block))
            block.clear()
        if not chunk:
            return size, digest.hexdigest()


def _sniff(name: str, suffix: str, head: bytes) -> None:
    """Refuse a file that is not what its name says."""
    begins = MAGIC.get(suffix)
    fine = begins is None or head.startswith(begins)
    if suffix == ".webp":
        fine = fine and head[8:12] == b"WEBP"
    elif suffix == ".safetensors":
        fine = len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32
    elif TYPES[suffix] == "text":
        fine = b"\0" not in head
    if not fine:
        raise _not_what(name)


def _not_what(name: str) -> GraphErrors:
    return GraphErrors.one("E_CONTENT_TYPE", f"'{name}' is not what its name says", hint="check the file")


def _segments(name: str) -> list[str]:
    """The parts of a relative path.

    Raises:
        GraphErrors: E_UPLOAD, it is none.
    """
    parts = name.split("/")
    fine = len(parts) <= MAX_DEPTH and all(
        _SEGMENT.fullmatch(part) and part.strip(" ") == part and part.strip(".") for part in parts
    )
    if not fine or len(name.encode(errors="replace")) > 1000 or "�" in name:
        raise GraphErrors.one("E_UPLOAD", f"{name[:80]!r} is no name for an upload", hint="rename the file")
    return parts


def _settle(batch: _Batch) -> Uploaded:
    """Move a whole upload to the name that its content gives it."""
    assert batch.place is not None
    top = batch.place.parent
    if batch.folder is None:
        (file,) = batch.files
        target = top / f"{file.sha256[:12]}-{_plain(Path(file.path).name)}"
        _move(batch.place / file.path, target)
        return {"uri": batch.roots.uri(target), "sha256": file.sha256, "size": file.size}
    source = batch.place
    if all(file.path.startswith(f"{batch.folder}/") for file in batch.files):
        source = batch.place / batch.folder
    relative = sorted((os.path.relpath(batch.place / file.path, source).replace(os.sep, "/"), file.sha256)
                      for file in batch.files)  # fmt: skip
    merkle = hashlib.sha256()
    for name, sha256 in relative:
        merkle.update(f"{name}\0{sha256}\n".encode())
    target = top / f"{merkle.hexdigest()[:12]}-{_plain(batch.folder)}"
    _move(source, target)
    reply: Uploaded = {
        "uri": f"{batch.roots.uri(target)}/",
        "sha256": merkle.hexdigest(),
        "size": sum(file.size for file in batch.files),
        "count": len(batch.files),
    }
    if batch.skipped:
        reply["skipped"] = batch.skipped[:100]
    return reply


def _move(source: Path, target: Path) -> None:
    """Into its place, unless the same content is there already."""
    if not target.exists():
        os.replace(source, target)


def _plain(name: str) -> str:
    """A name that every file system and every graph file takes; the letters of all languages stay."""
    path = Path(_NOT_PLAIN.sub("_", name))
    return f"{path.stem[:80].strip('. ') or 'file'}{path.suffix.lower() if path.suffix else ''}"
