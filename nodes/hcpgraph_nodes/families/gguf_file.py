"""The headers of .gguf files, which llama.cpp, stable-diffusion.cpp and ComfyUI-GGUF write (torch-free).

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. It is read here because the reader of the package
`gguf` takes seconds for a file with a vocabulary. ComfyUI-GGUF stores some weights in rows of 256 numbers and says
their sizes in `comfy.gguf.orig_shape.NAME`, which are the ones given here.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from hcpgraph import GraphError

SCALARS = ("B", "b", "H", "h", "I", "i", "f", "?", None, None, "Q", "q", "d")
"""`struct` codes of the types of entries, by their numbers; texts (8) and lists (9) have none."""
TEXT, LIST = 8, 9
LONGEST = 64
"""Entries of a list that is kept; the tokenizer's have more than a hundred thousand."""
RESHAPED = "comfy.gguf.orig_shape."
DTYPES = {0: "float32", 1: "float16", 28: "float64", 30: "bfloat16"}
"""Floats that torch has too, by their numbers in ggml.h."""
INTEGERS = {24: "int8", 25: "int16", 26: "int32", 27: "int64"}
"""Integers, which are read where they are no weights of a layer."""
PLAIN = {**DTYPES, **INTEGERS}
LIMIT = 100 * 1024 * 1024
"""Bytes of the longest header that is read."""
DIMENSIONS = 8
CUT_OFF = "it is cut off or damaged"


class Entry(NamedTuple):
    """One tensor: its type as a number of ggml.h, its sizes in torch's order, and where it lies.

    Attributes:
        row: Numbers in a row as they are stored.
        offset: Bytes from the beginning of the file.
    """

    kind: int
    shape: tuple[int, ...]
    row: int
    offset: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The header of a file."""

    metadata: dict[str, str]
    tensors: dict[str, Entry]


def contents(path: Path) -> Contents:
    """The header of a file.

    Raises:
        GraphError: E_FILE, it is damaged or no GGUF file; E_PACKAGE, its weights cannot be read without `gguf`.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _contents(_Cursor(data), len(data))
    except OSError as error:
        raise damaged(path, error.strerror or error) from None
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is damaged" if isinstance(error, RecursionError) else error) from None
    if any(entry.kind not in PLAIN for entry in found.tensors.values()) and find_spec("gguf") is None:
        raise GraphError("E_PACKAGE", f"missing: gguf, which reads {path.name}", hint="pip install 'hcpgraph[gguf]'")
    return found


class _Cursor:
    """Reads the header of a file from its beginning to its end, in little-endian order."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.end = min(len(data), LIMIT)

    def number(self, code: str) -> Any:
        size = struct.calcsize(f"<{code}")
        return struct.unpack_from(f"<{code}", self.data, self.skip(size))[0]

    def skip(self, count: int) -> int:
        """Go on by so many bytes, and say where they begin."""
        begin = self.at
        self.at += count
        if self.at > self.end:
            raise ValueError(CUT_OFF)
        return begin

    def text(self) -> str:
        length = self.number("Q")
        begin = self.skip(length)
        return self.data[begin : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """An entry of a type; None for lists that are not kept."""
        if kind == TEXT:
            return self.text()
        if kind == LIST:
            return self._list()
        code = SCALARS[kind] if kind < len(SCALARS) else None
        if code is None:
            raise ValueError(f"an entry of its header has the unknown type {kind}")
        return self.number(code)

    def _list(self) -> list[Any] | None:
        kind, count = self.number("I"), self.number("Q")
        code = SCALARS[kind] if kind < len(SCALARS) else None
        if code is not None and count > LONGEST:
            self.skip(count * struct.calcsize(f"<{code}"))
        elif code is not None:
            return [self.number(code) for _ in range(count)]
        elif kind == TEXT:
            self._skip_texts(count)
        else:
            for _ in range(count):
                self.value(kind)
        return None

    def _skip_texts(self, count: int) -> None:
        """Go on by texts of a vocabulary, of which there are very many."""
        length, at = struct.Struct("<Q").unpack_from, self.at
        for _ in range(count):
            if at + 8 > self.end:
                raise ValueError(CUT_OFF)
            at += 8 + length(self.data, at)[0]
        self.skip(at - self.at)


def _contents(cursor: _Cursor, size: int) -> Contents:
    """The header.

    Raises:
        ValueError, RecursionError: It is damaged.
    """
    if cursor.data[:4] != b"GGUF":
        raise ValueError("it is no GGUF file")
    cursor.skip(4)
    version = cursor.number("I")
    if version not in (2, 3):
        raise ValueError(
            f"its version is {version if version < 1 << 16 else 'that of big-endian machines'}, not 2 or 3"
        )
    count, entries = cursor.number("Q"), cursor.number("Q")
    values = {}
    for _ in range(entries):
        name = cursor.text()
        values[name] = cursor.value(cursor.number("I"))
    stored = list(_tensors(cursor, count))
    align = values.get("general.alignment", 32)
    if not isinstance(align, int) or align < 1:
        raise ValueError(f"its alignment is {align}")
    begin = -(-cursor.at // align) * align
    tensors = {}
    for name, kind, sizes, offset in stored:
        shape = values.get(RESHAPED + name, sizes)
        if not _sizes(shape) or prod(shape) != prod(sizes):
            raise ValueError(f"the sizes of {name} contradict each other")
        if begin + offset > size:
            raise ValueError("it is cut off")
        tensors[name] = Entry(kind, tuple(shape), sizes[-1] if sizes else 1, begin + offset)
    kept = {name: _said(value) for name, value in values.items() if value is not None}
    return Contents({name: text for name, text in kept.items() if not name.startswith(RESHAPED)}, tensors)


def _tensors(cursor: _Cursor, count: int) -> Iterator[tuple[str, int, list[int], int]]:
    """Name, type, sizes in torch's order, and offset in the data, of all tensors."""
    for _ in range(count):
        name = cursor.text()
        dimensions = cursor.number("I")
        if dimensions > DIMENSIONS:
            raise ValueError(f"{name} has {dimensions} dimensions")
        sizes = [cursor.number("Q") for _ in range(dimensions)]
        yield name, cursor.number("I"), sizes[::-1], cursor.number("Q")


def _sizes(shape: Any) -> bool:
    return isinstance(shape, list) and all(isinstance(length, int) and length >= 0 for length in shape)


def _said(value: Any) -> str:
    """An entry as a text: truths and lists as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def damaged(path: Path, why: object) -> GraphError:
    """The error for a file that cannot be read."""
    return GraphError("E_FILE", f"{path.name} cannot be read: {why}", port="path", hint="fetch it again")
