"""What pictures and masks are made of, as digests: two with the same digest load the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed
from hcpgraph.fingerprint import Fingerprints, stamp

from .dataset import ArrayRow

THREADS = 8
AT_ONCE = 256
Part = Any
"""A Source or a Mask."""


@runtime_checkable
class Contentful(Protocol):
    """A source or mask that knows a digest of its bytes without decoding them, such as a member of an archive."""

    def content(self) -> str:
        """sha256, hex, over the bytes that it is made of and everything that changes what `load` gives."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Digests of sources and masks.

    Attributes:
        digests: Part -> sha256, hex.
        stamps: Part -> its files, each with its stamp from before it was read.
    """

    digests: Mapping[Part, str]
    stamps: Mapping[Part, tuple[tuple[Path, str], ...]]

    def require_unchanged(self, parts: Mapping[Part, str]) -> None:
        """Stop if a file was written since its digest was made: what was loaded may be something else.

        Args:
            parts: Source or mask -> what messages call it.

        Raises:
            GraphError: E_CHANGED.
        """
        changed = [
            name for part, name in parts.items() if any(_stamp(file) != old for file, old in self.stamps.get(part, ()))
        ]
        if changed:
            raise GraphError(
                "E_CHANGED",
                f"written while they were being encoded: {listed(changed)}",
                hint="run again once nothing writes to these files; what was encoded so far is kept",
            )


def contents(ctx: Context, parts: Iterable[Part]) -> Contents:
    """Digests of sources and masks.

    One that is `Contentful` is asked; of one whose fields name files, it is made of the files' sha256, remembered by
    stat, and of the other fields: the name of a file does not count. Anything else is loaded, and its pixels count.

    Args:
        ctx: The context of the node.
        parts: Sources and masks, hashable.

    Raises:
        GraphError: E_PICTURE, one that has to be loaded cannot be; E_NOT_FOUND, a file is gone.
    """
    wanted = list(dict.fromkeys(parts))
    own = [part for part in wanted if isinstance(part, Contentful)]
    asked = set(own)
    files = {part: _files(part) for part in wanted if part not in asked}
    loaded = [part for part, found in files.items() if not found]
    memory = Fingerprints(ctx.path("cache:fingerprints.sqlite", must_exist=False))

    def check(done: int, total: int) -> None:
        ctx.check()
        ctx.progress(done, total, phase="reading")

    try:
        hashes = memory.many((path for found in files.values() for path in found.values()), check)
    except OSError as error:
        raise GraphError(
            "E_NOT_FOUND", f"a picture is gone: {error}", hint="run again: the data set is read anew"
        ) from error
    digests: dict[Part, str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for chosen, made in ((own, _ask), (loaded, _pixels)):
            for start in range(0, len(chosen), AT_ONCE):
                ctx.check()
                part = chosen[start : start + AT_ONCE]
                digests.update(zip(part, pool.map(made, part), strict=True))
    for part, found in files.items():
        if found:
            shown = {name: hashes[found[name]][0] if name in found else value for name, value in _fields(part).items()}
            digests[part] = sha256(f"{_kind(part)}\0{sorted(shown.items())!r}".encode()).hexdigest()
    stamps = {part: tuple((path, hashes[path][1]) for path in found.values()) for part, found in files.items() if found}
    return Contents(digests, stamps)


def _fields(part: Part) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else {}


def _files(part: Part) -> dict[str, Path]:
    """The fields of a part that name files. A row of an array is told by its pixels: other rows may change."""
    if isinstance(part, ArrayRow):
        return {}
    fields = {name: Path(value) for name, value in _fields(part).items() if isinstance(value, str | Path) and value}
    return {name: path for name, path in fields.items() if path.is_absolute() and path.is_file()}


def _kind(part: Part) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _ask(part: Contentful) -> str:
    return sha256(f"{_kind(part)}\0{part.content()}".encode()).hexdigest()


def _pixels(part: Part) -> str:
    array = np.ascontiguousarray(part.load())
    return sha256(f"{array.dtype.str}{array.shape}\0".encode() + array.tobytes()).hexdigest()


def _stamp(file: Path) -> str:
    try:
        return stamp(file)
    except OSError:
        return ""
