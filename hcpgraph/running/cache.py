"""Results by Merkle key: in RAM (least recently used, bounded by bytes) and on disk (types with a codec)."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import private
from .codec import NoCodec, read_folder, write_folder

DEFAULT_BYTES = 4 << 30
_OVERHEAD = 256
_PLAIN = (str, int, float, bytes, type(None))
RECORDS = 1000
"""After so many records without any tensor the others are not searched for one: a data set has a million."""


def size_of(value: Any, seen: set[int] | None = None) -> int:
    """Bytes that a value keeps alive: memory of tensors and modules once each, the rest by a small flat charge."""
    seen = set() if seen is None else seen
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if hasattr(item, "untyped_storage"):
            storage = item.untyped_storage()
            if storage.data_ptr() not in seen:
                total += storage.nbytes()
            seen.add(storage.data_ptr())
        elif callable(getattr(item, "parameters", None)) and callable(getattr(item, "buffers", None)):
            stack += [*item.parameters(), *item.buffers()]
        elif isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, Mapping):
            stack += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            stack += item
        elif hasattr(item, "nbytes"):
            total += item.nbytes() if callable(item.nbytes) else item.nbytes
        elif dataclasses.is_dataclass(item):
            stack += [getattr(item, f.name) for f in dataclasses.fields(item)]
        total += _OVERHEAD
    return total


def copied(value: Any) -> Any:
    """The value with lists and dicts of its own, so that whoever gets it may change them; what they hold is shared."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([copied(item) for item in value])
    return {name: copied(item) for name, item in value.items()} if kind is dict else value


class Marks:
    """Tensors of a value with their version counters, which rise when one is changed in place.

    Arrays have no such counter and are made read-only instead. Weights of modules are not looked at.
    """

    def __init__(self, value: Any) -> None:
        self._tensors: list[tuple[Any, int]] = []
        seen: set[int] = set()
        records: Counter[type] = Counter()
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, _PLAIN) or id(item) in seen:
                continue
            seen.add(id(item))
            if hasattr(item, "untyped_storage"):
                self._tensors.append((item, _version(item)))
            elif callable(getattr(item, "parameters", None)):
                continue
            elif hasattr(item, "setflags"):
                item.setflags(write=False)
            elif isinstance(item, Mapping):
                stack += item.values()
            elif isinstance(item, list | tuple | set | frozenset):
                stack += item
            elif dataclasses.is_dataclass(item):
                records[type(item)] += 1
                if self._tensors or records[type(item)] <= RECORDS:
                    stack += [getattr(item, f.name) for f in dataclasses.fields(item)]

    def changed(self) -> bool:
        return any(_version(tensor) != version for tensor, version in self._tensors)


def _version(tensor: Any) -> int:
    """Counter of a tensor; one made in inference mode has none and cannot be changed outside of it."""
    return 0 if tensor.is_inference() else private.tensor_version(tensor)


class Cache:
    """Results that outlive one run of one process. Who gets one may change lists and dicts of it; a tensor that was
    changed in place is not served again.

    Args:
        max_bytes: Bound of what is kept; the least recently used goes first. What is larger by itself is not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._items: OrderedDict[str, tuple[Any, int, Marks]] = OrderedDict()
        self._makers: dict[str, Mapping[str, str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        if key in self._items and self._items[key][2].changed():
            self.drop([key])
        return key in self._items

    def get(self, key: str) -> Any:
        """The outputs under a key; raises KeyError."""
        if key not in self:
            raise KeyError(key)
        self._items.move_to_end(key)
        return copied(self._items[key][0])

    def made_by(self, key: str) -> Mapping[str, str] | None:
        """The run and the node that made what is kept under a key; None where no record says so."""
        return self._makers.get(key)

    def put(self, key: str, value: Any, made_by: Mapping[str, str] | None = None) -> None:
        size = size_of(value)
        self.drop([key])
        if size > self.max_bytes:
            return
        self._items[key] = copied(value), size, Marks(value)
        if made_by is not None:
            self._makers[key] = made_by
        self.bytes += size
        while self.bytes > self.max_bytes:
            self.drop([next(iter(self._items))])

    def drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._makers.pop(key, None)
            if (item := self._items.pop(key, None)) is not None:
                self.bytes -= item[1]


class DiskCache:
    """Results below the workspace's `cache:` root, one folder a key.

    Safe with several processes: a folder appears complete, by one rename.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        return self.folder / "values" / key[:2] / key

    def get(self, key: str) -> tuple[Any, dict[str, Any]] | None:
        """Value and extra fields; None if it is not there or damaged in whatever way."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return read_folder(path)
        except Exception:
            return None

    def put(self, key: str, value: Any, extra: Mapping[str, Any] | None = None) -> bool:
        """Keep a value, in place of a damaged one; False if its type has no codec or the disk does not take it.

        Args:
            extra: JSON fields kept beside it; they replace those of before.
        """
        path = self._path(key)
        try:
            if extra is not None or self.get(key) is None:
                shutil.rmtree(path, ignore_errors=True)
            write_folder(path, value, extra)
        except (NoCodec, OSError):
            return False
        return True
