"""Packs: where node libraries are found, and their manifest, which is read instead of importing them.

A pack is an installed package named by the entry point group `hcpgraph.packs`, or a folder (`--pack DIR`) whose
`.py` files are imported one by one, so that a broken file does not disturb its siblings. The manifest is built in
a process of its own: reading it never imports torch.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import __version__
from .atomic import write_text
from .errors import GraphErrors, Problem
from .fingerprint import stamp
from .processes.commands import end_with_stdin, run
from .sources import FOLDER_PREFIX, imports_now

ENTRY_POINTS = "hcpgraph.packs"
ENGINE = Path(__file__).resolve().parent
DECLARING = ("spec.py", "declare.py", "docstring.py", "types.py", "widgets.py", "packs.py")


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


def load_migrations(pack: Pack) -> None:
    """Import the torch-free module `migrations` of a pack, if it has one: it registers the pack's migrations.

    Raises:
        GraphErrors: E_PACK, it cannot be imported.
    """
    file = pack.folder / "migrations.py"
    if pack.module is not None:
        if importlib.util.find_spec(f"{pack.module}.migrations") is None:
            return
        name = f"{pack.module}.migrations"
    elif file.is_file():
        name = folder_module(file)
    else:
        return
    try:
        import_module(name, str(file))
    except Exception as error:
        message = f"the migrations of pack '{pack.name}' cannot be imported: {type(error).__name__}: {error}"
        raise GraphErrors([Problem("E_PACK", message, hint=f"see {pack.folder}")]) from error


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


def cache_folder() -> Path:
    """Where manifests are kept between processes."""
    if given := os.environ.get("HCPGRAPH_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "hcpgraph"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hcpgraph"


def manifest(pack: Pack) -> dict[str, Any]:
    """Specs, types and problems of a pack as JSON data, from the disk or by importing it in another process.

    A build that ended early describes no types, not even the engine's own, and is not kept.
    """
    place = hashlib.sha256(str(pack.folder).encode()).hexdigest()[:12]
    path = cache_folder() / "manifests" / f"{place}-{pack.stamp()}.json"
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        return data
    except (OSError, ValueError):
        pass
    data = _build_elsewhere(pack)
    if not data["types"]:
        return data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{place}-*.json"):
            old.unlink(missing_ok=True)
        write_text(path, json.dumps(data))
    except OSError:
        pass
    return data


def _build_elsewhere(pack: Pack) -> dict[str, Any]:
    done = run("-m", "hcpgraph.packs", pack.name, str(pack.folder), pack.module or "", pack.version)
    if done.code != 0:
        last = (done.said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        message, hint = f"pack '{pack.name}' cannot be imported: {last}", f"its folder is {pack.folder}"
        problem = Problem("E_PACK", message, hint=hint, severity="warning")
        return {"specs": [], "types": [], "problems": [problem.to_json()]}
    data: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return data


def build(pack: Pack) -> dict[str, Any]:
    """Import every module of a pack in this process and describe what it declares; a broken one becomes a problem."""
    from .declare import declared
    from .types import registered

    problems: list[Problem] = []
    by_module = {folder_module(path): path for path in pack.files()}
    for name in pack.modules():
        try:
            import_module(name, str(by_module.get(name, "")))
        except (Exception, SystemExit) as error:
            problems.append(_broken(str(by_module.get(name, name)), error))
    here = (impl.spec for impl in declared().values() if Path(impl.spec.file).is_relative_to(pack.folder))
    specs = [spec.to_json() | {"pack": pack.name} for spec in here]
    return {
        "specs": specs,
        "types": [info.to_json() for info in registered().values()],
        "problems": [problem.to_json() for problem in problems],
    }


def _broken(where: str, error: BaseException) -> Problem:
    """The problem of a file that cannot be imported: it is left out, the others of its pack are not."""
    if isinstance(error, SyntaxError):
        line, file = error.lineno, error.filename
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        line, file = last.lineno, last.filename
    message = f"'{where}' cannot be imported: {type(error).__name__}: {error}"
    return Problem("E_PACK", message, hint=f"line {line} of {file}", severity="warning")


if __name__ == "__main__":
    end_with_stdin()
    arguments = sys.argv[1:]
    described = build(Pack(arguments[0], Path(arguments[1]), arguments[2] or None, arguments[3]))
    sys.stdout.write(f"\n{json.dumps(described)}\n")
