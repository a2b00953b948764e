"""Results by Merkle key: in RAM (least recently used, bounded by bytes) and on disk (types with a codec)."""

from __future__ import annotations

import dataclasses
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .codec import NoCodec, read_folder, write_folder

DEFAULT_BYTES = 4 << 30
_OVERHEAD = 256


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


class Cache:
    """Results that outlive one run of one process.

    Args:
        max_bytes: Bound of what is kept; the least recently used goes first. What is larger by itself is not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._items: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def get(self, key: str) -> Any:
        """The outputs under a key; raises KeyError."""
        value, _ = self._items[key]
        self._items.move_to_end(key)
        return value

    def put(self, key: str, value: Any) -> None:
        size = size_of(value)
        self.drop([key])
        if size > self.max_bytes:
            return
        self._items[key] = (value, size)
        self.bytes += size
        while self.bytes > self.max_bytes:
            _, (_, gone) = self._items.popitem(last=False)
            self.bytes -= gone

    def drop(self, keys: Iterable[str]) -> None:
        for key in keys:
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
