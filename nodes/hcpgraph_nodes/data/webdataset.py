"""`data.webdataset`: tar shards of pictures with captions."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, Literal

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.declaring.sources import code_of
from hcpgraph.errors import listed
from hcpgraph.fingerprint import stamp
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import RGB, HexColor, rgb
from ..image.read import SUFFIXES, formats, read_header, read_picture, reason
from ..text_files import decoded
from .sources.caption_values import caption_in, clean
from .sources.captions import filled, require_captions
from .sources.dataset import Dataset, Sample
from .sources.listing import OnBad, below
from .sources.names import composed
from .sources.side_files import read_remembered, write_remembered
from .sources.tables import CAPTION_COLUMNS, as_text

LONGEST_TEXT = 1 << 20
"""Bytes of one txt or json member."""
TEXTS = (".txt", ".caption")

Entry = dict[str, Any]
"""What the index knows of a sample: `key`, place `at` and `size` of its picture, or its `problem`; `txt`, `json`."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """A picture inside an uncompressed tar file, read where it lies."""

    path: str
    offset: int
    length: int
    name: str
    size: tuple[int, int]
    background: RGB = (255, 255, 255)

    def load(self) -> np.ndarray:
        """The picture (H, W, 3), uint8. Raises GraphError E_PICTURE."""
        return read_picture(self._bytes(), self.background, name=self.name)

    def load_for(self, size: tuple[int, int]) -> np.ndarray:
        return read_picture(self._bytes(), self.background, name=self.name, at_least=size)

    def content(self) -> str:
        """sha256 of the file in the archive and of the background."""
        return sha256(repr(self.background).encode() + self._bytes()).hexdigest()

    def _bytes(self) -> bytes:
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                return file.read(self.length)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise GraphError("E_PICTURE", f"'{self.name}' cannot be read: {why}", hint="see the shard") from error


@node("data.webdataset", effects="read")
def webdataset(
    ctx: Context,
    *,
    path: Annotated[str, PathPicker(kind_of="any", suffixes=(".tar",), primary=True)],
    caption_field: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    on_missing: Literal["error", "empty", "skip"] = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    background: HexColor = "#ffffff",
    on_bad: OnBad = "error",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """Tar shards of pictures with captions, as the WebDataset format has them.

    Files that follow each other and share a name up to its first dot are one sample: `0001.jpg` with `0001.txt` or
    `0001.caption`, or with `0001.json`, whose `caption` (or `text`, `prompt`) is taken where there is no txt; the
    other fields of the JSON become words for prompt templates. Nothing is unpacked: a shard is read through once for
    an index that is remembered, and pictures are read where they lie, in any order. Compressed shards cannot be read
    this way.

    Args:
        path: A tar file, or a folder of them, sorted by name: `data:shards`.
        caption_field: Field of the JSON that holds the caption; empty takes `caption`, `text` or `prompt`.
        on_missing: What to do with a picture without caption: stop and name them all, use no text, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures whose header cannot be read: stop and name them all, or leave them out.
        name: Name of the data set in sample keys; empty takes the name of the file or folder.

    Raises:
        GraphError: E_DATA (no shards, a damaged or compressed shard, captions missing), E_PICTURE.
    """
    place = ctx.path(path)
    shards = [place] if place.is_file() else sorted(file for file in place.glob("*.tar") if file.name[0] != ".")
    if not shards:
        raise GraphError("E_DATA", f"'{path}' holds no tar files", hint="shards are uncompressed, ending .tar")
    if place.is_dir():
        for shard in shards:
            if shard.is_symlink():
                ctx.path(below(path, shard.name))
    entries: list[tuple[Path, Entry]] = []
    lonely: list[str] = []
    passed: Counter[str] = Counter()
    for number, shard in enumerate(shards):
        index = _index(ctx, shard)
        entries += [(shard, entry) for entry in index["entries"]]
        lonely += [f"{shard.name}:{key}" for key in index["lonely"]]
        passed.update(index["passed"])
        ctx.progress(number + 1, len(shards))
    if lonely:
        ctx.log(f"{len(lonely)} texts in {path} belong to no picture: {listed(lonely)}", level="warning")

    bad = [f"{shard.name}:{e['key']} ({e['problem']})" for shard, e in entries if "problem" in e]
    if bad:
        message = f"{len(bad)} of {len(entries)} pictures in '{path}' cannot be read: {listed(bad, '; ')}"
        if on_bad == "error":
            raise GraphError("E_PICTURE", message, hint="replace or remove them, or set on_bad to skip")
        ctx.log(f"left out, {message}", level="warning")
    good = [(shard, entry, _caption(entry, caption_field)) for shard, entry in entries if "problem" not in entry]
    missing = [f"{shard.name}:{entry['key']}" for shard, entry, text in good if text is None]
    require_captions(missing, len(good), path, on_missing)
    color = rgb(background)
    samples: list[Sample] = []
    for shard, entry, text in good:
        caption = filled(entry["key"], text, on_missing, trigger)
        if caption is None:
            continue
        id = f"{shard.stem}/{entry['key']}"
        (offset, length), (width, height) = entry["at"], entry["size"]
        source = TarMember(str(shard), offset, length, id, (width, height), color)
        samples.append(Sample(source, caption, id, words=_words(entry, caption_field)))
    if not samples:
        raise GraphError("E_DATA", f"no picture of '{path}' is left", hint="see on_missing and on_bad")
    beside = [] if place.is_file() else [file for file in place.iterdir() if file not in shards]
    more = [f"{len(entries) - len(samples)} pictures left out"] * (len(samples) < len(entries))
    doubled = sum("txt" in e and _caption({**e, "txt": None}, caption_field) is not None for _, e, _ in good)
    more += [f"{doubled} captions in a json beside a txt"] * bool(doubled and not caption_field)
    more += [f"{count} entries {kind}" for kind, count in sorted(passed.items())]
    more += [f"{len(beside)} files beside the shards: {listed(sorted(file.name for file in beside))}"] * bool(beside)
    told = f"{len(samples)} pictures in {len(shards)} shards of {path}"
    ctx.log(told + (f"; not used: {', '.join(more)}" if more else ""))
    return Dataset(name or (place.stem if place.is_file() else place.name), tuple(samples))


def _index(ctx: Context, shard: Path) -> dict[str, Any]:
    """What a shard holds; read through again only if the file has changed.

    `entries` are its samples, `lonely` the keys of texts without a picture, `passed` counts what is not read by kind.
    """
    state = _state(shard)
    file = ctx.path(f"cache:webdataset/{sha256(state.encode()).hexdigest()[:32]}.json", must_exist=False)
    index: dict[str, Any] | None = read_remembered(file, state)
    if index is None:
        index = _read_through(ctx, shard)
        if state == _state(shard):
            write_remembered(file, state, index)
    return index


def _state(shard: Path) -> str:
    return f"{shard} {stamp(shard)} {code_of(__name__)} {' '.join(formats())}"


def _read_through(ctx: Context, shard: Path) -> dict[str, Any]:
    entries: list[Entry] = []
    passed: Counter[str] = Counter()
    parts: Entry = {}
    seen: set[str] = set()
    at = -1
    try:
        with shard.open("rb") as raw, _tar(raw) as tar:
            for member in tar:
                ctx.check()
                _check_place(member, at, shard)
                at = member.offset
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    passed["that are links or sparse"] += 1
                    continue
                folder, slash, base = composed(member.name).rpartition("/")
                if base.startswith("."):
                    passed["that are hidden"] += 1
                    continue
                stem, _, ending = base.partition(".")
                key = f"{folder}{slash}{stem}"
                if key != parts.get("key"):
                    if key in seen:
                        raise GraphError(
                            "E_DATA",
                            f"the files of '{key}' in '{shard.name}' do not follow each other",
                            hint="write the shard with its files sorted by name",
                        )
                    seen.add(key)
                    parts = {"key": key}
                    entries.append(parts)
                opened = tar.extractfile(member)
                if opened is not None:
                    kind = _add(parts, f".{ending.lower()}", member, opened)
                    passed.update([kind] if kind else [])
            raw.seek(tar.offset)
            if raw.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"what follows '{parts.get('key', '')}' is no entry")
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise GraphError(
            "E_DATA",
            f"'{shard.name}' cannot be read as an uncompressed tar file: {error}",
            hint="unpack .tar.gz to .tar, or write the shard again",
        ) from None
    texts = [entry for entry in entries if "at" not in entry and {"txt", "json", "problem"} & set(entry)]
    return {
        "entries": [entry for entry in entries if "at" in entry],
        "lonely": [entry["key"] for entry in texts],
        "passed": passed,
    }


def _tar(raw: BinaryIO) -> tarfile.TarFile:
    bounded: Any = _Bounded(raw)  # what reading needs of a file, and no more
    return tarfile.open(fileobj=bounded, mode="r:")


class _Bounded:
    """A file in which nobody reads or seeks beyond its end: the sizes in a damaged shard may be anything."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, SEEK_END)
        file.seek(0)

    def read(self, size: int) -> bytes:
        if size < 0:
            raise tarfile.ReadError("an entry has a size below zero")
        return self._file.read(min(size, self._size))

    def seek(self, place: int) -> int:
        if not 0 <= place <= self._size:
            raise tarfile.ReadError("an entry reaches beyond the end of the file")
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _check_place(member: tarfile.TarInfo, before: int, shard: Path) -> None:
    """An entry lies behind the one before it and inside of its file.

    Raises:
        GraphError: E_DATA.
    """
    size = shard.stat().st_size
    if member.size < 0 or member.offset <= before or member.offset_data + member.size > size:
        raise GraphError(
            "E_DATA",
            f"'{member.name}' in '{shard.name}' says that it has {member.size:,} bytes, of {size:,} of the whole file",
            hint="write the shard again",
        )


def _add(parts: Entry, ending: str, member: tarfile.TarInfo, file: IO[bytes]) -> str:
    """Take one file of a sample into its entry; the answer is what it is where that is neither picture nor text."""
    if ending in SUFFIXES:
        if "at" in parts:
            parts["problem"] = "two pictures of one name"
            return ""
        parts["at"] = [member.offset_data, member.size]
        try:
            parts["size"] = list(read_header(file).size)
        except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
            parts["problem"] = reason(error, member.name)
    elif ending in (*TEXTS, ".json"):
        content, kind = file.read(LONGEST_TEXT + 1), "json" if ending == ".json" else "txt"
        try:
            if len(content) > LONGEST_TEXT:
                raise ValueError(f"longer than {LONGEST_TEXT} bytes")
            if kind in parts:
                raise ValueError("a second file with its caption")
            text = decoded(content)
            parts[kind] = text if kind == "txt" else json.loads(text)
        except (ValueError, RecursionError) as error:
            parts["problem"] = f"its {ending[1:]}: {error}"
    else:
        return f"ending {ending}"
    return ""


def _caption(entry: Mapping[str, Any], field: str) -> str | None:
    if entry.get("txt") is not None and not field:
        return clean(entry["txt"])
    found = entry.get("json")
    if isinstance(found, str) and not field:
        return clean(found)
    values = found if isinstance(found, dict) else {}
    name = _field(values, field)
    value = values.get(name) if name else None
    if isinstance(value, list):
        return caption_in(value, f"{entry['key']}.json")
    text = as_text(value)
    return None if text is None else clean(text)


def _field(values: Mapping[str, Any], field: str) -> str:
    return field or next((name for name in CAPTION_COLUMNS if name in values), "")


def _words(entry: Mapping[str, Any], field: str) -> dict[str, str] | None:
    values = entry.get("json")
    if not isinstance(values, dict):
        return None
    taken = _field(values, field)
    return {k: text for k, value in values.items() if k != taken and (text := as_text(value))} or None
