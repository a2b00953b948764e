"""Importing the modules of packs, those of plain folders among them, and when every module was imported."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

FOLDER_PREFIX = "hcpgraph_pack"
"""Begins the names of modules that are files of a pack folder."""


def folder_module(path: Path) -> str:
    """The module name under which a file of a pack folder is imported: stable, and apart from every package."""
    return f"{FOLDER_PREFIX}_{hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]}_{path.stem}"


def import_module(name: str, file: str) -> Any:
    """Import a node's module: a package module by name, a file of a pack folder from its path."""
    if name in sys.modules:
        return sys.modules[name]
    if not name.startswith(FOLDER_PREFIX):
        return importlib.import_module(name)
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise ImportError(f"{file} is no Python file")
    imports_now(name)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class _Times(MetaPathFinder):
    """When modules were imported: it stands in front of the finders, finds nothing, and looks at the clock."""

    def __init__(self) -> None:
        self.begun = 0
        self.at: dict[str, int] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        self.at[name] = time.time_ns()


_times = _Times()


def watch_imports() -> None:
    """Note from now on when modules are imported."""
    if _times not in sys.meta_path:
        _times.begun = time.time_ns()
        sys.meta_path.insert(0, _times)


def imports_now(name: str) -> None:
    """Note that a module is imported; needed only where the import system is not asked."""
    _times.find_spec(name)


def changed_since_import(name: str, path: Path) -> bool:
    """Whether a file was written after its module was imported, or after the watch began."""
    return path.stat().st_ctime_ns > _times.at.get(name, _times.begun)
