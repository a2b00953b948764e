"""Objects on their way into another process: packed with what their classes need there, or refused by name."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from ..errors import GraphError
from ..importing import FOLDER_PREFIX, import_module


@dataclass(frozen=True)
class Parcel:
    """A pickled object.

    Attributes:
        data: The pickle.
        modules: Modules of the classes and functions in it that are imported by name.
        files: The others: module of a pack folder -> its file.
    """

    data: bytes
    modules: tuple[str, ...]
    files: Mapping[str, str]


def pack(value: Any) -> Parcel:
    """Pickle an object.

    Raises:
        GraphError: E_PICKLE, it holds something that cannot be pickled or whose class another process cannot import;
            names what, and where.
    """
    stream = io.BytesIO()
    packer = _Packer(stream, pickle.HIGHEST_PROTOCOL)
    try:
        packer.dump(value)
    except Exception as error:
        raise _refused(value, packer.last, error) from error
    folders = {name for name in packer.modules if name.startswith(FOLDER_PREFIX)}
    files = {name: str(sys.modules[name].__file__) for name in folders}
    return Parcel(stream.getvalue(), tuple(sorted(packer.modules - folders)), files)


def unpack(parcel: Parcel) -> Any:
    """The object, with files of pack folders imported as the other process did.

    Raises:
        GraphError: E_PICKLE, it cannot be made here.
    """
    try:
        return _Unpacker(parcel).load()
    except Exception as error:
        message = f"what was sent here cannot be made in this process: {type(error).__name__}: {error}"
        raise GraphError(
            "E_PICKLE", message, hint="set workers to 0, or see that its module can be imported"
        ) from error


class _Main(Exception):
    """A class of the script or notebook itself, which is not run again elsewhere."""


class _Packer(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, protocol: int) -> None:
        super().__init__(stream, protocol)
        self.modules: set[str] = set()
        self.last: Any = None

    def reducer_override(self, value: Any) -> Any:
        self.last = value
        if isinstance(value, type | FunctionType):
            if value.__module__ == "__main__":
                raise _Main("it is defined in the script or notebook itself")
            self.modules.add(value.__module__ or "builtins")
        return NotImplemented


class _Unpacker(pickle.Unpickler):
    def __init__(self, parcel: Parcel) -> None:
        super().__init__(io.BytesIO(parcel.data))
        self._files = parcel.files

    def find_class(self, module: str, name: str) -> Any:
        if module in self._files:
            import_module(module, self._files[module])
        return super().find_class(module, name)


def _refused(value: Any, culprit: Any, error: Exception) -> GraphError:
    """The error that names what cannot be sent, and the attribute that holds it."""
    where, owner = next(_holders(value, culprit), ("", None))
    held = f", held by {_named(type(owner))} as {where}" if where else ""
    hint = "set workers to 0, or put it into a .py file of a pack"
    if not isinstance(error, _Main):
        hint = "set workers to 0, or give the class a __getstate__ that leaves it out"
    return GraphError("E_PICKLE", f"{_named(culprit)} cannot go to another process{held}: {error}", hint=hint)


def _named(value: Any) -> str:
    if isinstance(value, type | FunctionType):
        return f"'{value.__module__}.{value.__qualname__}'"
    return f"a '{type(value).__module__}.{type(value).__qualname__}'"


def _holders(root: Any, wanted: Any) -> Iterator[tuple[str, Any]]:
    """Paths of attributes and items to an object, or to an instance of a class, with what holds it there."""
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", getattr(root, "__self__", root))]
    while left:
        path, holder = left.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for name, value in _parts(holder):
            inner = f"{path}{name}".removeprefix(".")
            if value is wanted or type(value) is wanted:
                yield inner, holder
            left.append((inner, value))


def _parts(holder: Any) -> list[tuple[str, Any]]:
    if isinstance(holder, type | FunctionType | ModuleType):
        return []
    if isinstance(holder, Mapping):
        return [(f"[{key!r}]", value) for key, value in holder.items()]
    if isinstance(holder, list | tuple):
        return [(f"[{index}]", value) for index, value in enumerate(holder)]
    slots = [name for base in type(holder).__mro__ for name in getattr(base, "__slots__", ())]
    names = [*getattr(holder, "__dict__", {}), *slots]
    return [(f".{name}", getattr(holder, name)) for name in names if hasattr(holder, name)]
