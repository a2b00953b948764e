"""Packs: where node libraries are found.

A pack is an installed package named by the entry point group `hcpgraph.packs`, or a folder (`--pack DIR`) whose
`.py` files are imported one by one, so that a broken file does not disturb its siblings.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import GraphErrors
from ..fingerprint import stamp
from ..importing import folder_module
from ..version import __version__

ENTRY_POINTS = "hcpgraph.packs"
ENGINE = Path(__file__).resolve().parents[1]
DECLARING = [
    str(ENGINE / name)
    for name in (
        "types.py",
        "widgets.py",
        "importing.py",
        *(f"declaring/{name}.py" for name in ("spec", "node", "ports", "docstring", "pack", "manifest", "tables")),
    )
]


@dataclass(frozen=True)
class Pack:
    """One source of nodes.

    Args:
        name: Package name, or the name of the folder.
        folder: Where its files lie.
        module: Package to import, or None for a plain folder of files.
        version: Version of the distribution; a folder has `0`.
    """

    name: str
    folder: Path
    module: str | None
    version: str = "0"

    def files(self) -> list[Path]:
        return [Path(path) for path in self._paths()]

    def _paths(self) -> list[str]:
        """Plain texts: they are listed and stamped for every node that is added to a graph."""
        found = []
        for folder, names, files in os.walk(self.folder):
            names[:] = [name for name in names if name != "__pycache__"]
            found += [os.path.join(folder, name) for name in files if name.endswith(".py")]
        return sorted(found)

    def stamp(self) -> str:
        """Changes when a file of the pack or of the engine's declaration layer changes."""
        parts = [__version__, str(sys.version_info[:2]), str(self.module)]
        parts += [f"{path}\0{stamp(path)}" for path in (*self._paths(), *DECLARING)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]

    def modules(self) -> Iterator[str]:
        """Names of the modules to import, importable in this process after `prepare`."""
        if self.module is None:
            for path in self.files():
                if path.parent == self.folder:
                    yield folder_module(path)
            return
        yield self.module
        found = importlib.util.find_spec(self.module)
        folders = found.submodule_search_locations if found else []
        for item in pkgutil.walk_packages(folders, f"{self.module}.", onerror=lambda name: None):
            yield item.name

    def sources(self) -> Iterator[tuple[str, Path]]:
        """Names and files of the modules to import, without looking for them: a package's are named by their place."""
        for path in self.files():
            if self.module is None:
                if path.parent == self.folder:
                    yield folder_module(path), path
                continue
            parts = path.relative_to(self.folder).with_suffix("").parts
            yield ".".join((self.module, *(parts[:-1] if parts[-1] == "__init__" else parts))), path


def installed() -> tuple[Pack, ...]:
    """The packs that installed distributions announce, looked up once for an import path."""
    return _installed(tuple(sys.path))


@lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> tuple[Pack, ...]:
    from importlib.metadata import entry_points

    found = []
    for entry in entry_points(group=ENTRY_POINTS):
        spec = importlib.util.find_spec(entry.value)
        if spec is not None and spec.submodule_search_locations:
            version = entry.dist.version if entry.dist else "0"
            found.append(Pack(entry.value, Path(spec.submodule_search_locations[0]), entry.value, version))
    return tuple(sorted(set(found), key=lambda pack: pack.name))


def from_folder(folder: str | Path) -> Pack:
    """A folder given by hand.

    Raises:
        GraphErrors: E_PACK, it is no folder.
    """
    path = Path(folder).resolve()
    if not path.is_dir():
        hint = "give the folder that holds the .py files"
        raise GraphErrors.one("E_PACK", f"pack folder '{folder}' does not exist", hint=hint)
    return Pack(path.name, path, None)
