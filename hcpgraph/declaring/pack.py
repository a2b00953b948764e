"""Packs: where node libraries are found.

A pack is an installed package named by the entry point group `hcpgraph.packs`, or a folder (`--pack DIR`) whose
`.py` files are imported one by one, so that a broken file does not disturb its siblings.
"""

from __future__ import annotations

import hashlib
import importlib.util
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
DECLARING = (
    "types.py",
    "widgets.py",
    "importing.py",
    *(f"declaring/{name}.py" for name in ("spec", "node", "docstring", "pack", "manifest")),
)


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
        return sorted(path for path in self.folder.rglob("*.py") if "__pycache__" not in path.parts)

    def stamp(self) -> str:
        """Changes when a file of the pack or of the engine's declaration layer changes."""
        digest = hashlib.sha256(f"{__version__}\0{sys.version_info[:2]}\0{self.module}".encode())
        for path in [*self.files(), *(ENGINE / name for name in DECLARING)]:
            digest.update(f"{path}\0{stamp(path)}\n".encode())
        return digest.hexdigest()[:24]

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
