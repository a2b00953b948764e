"""Is everything here that a run needs: versions, devices, disk, packs, extras."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..checking.analyse import default_roots
from ..declaring.registry import default_registry
from ..extras import EXTRAS, missing
from ..paths import cache_folder
from ..version import __version__, package_version

PYTHON = (3, 11)
NEEDED = ("torch", "torchvision", "diffusers", "transformers", "accelerate", "safetensors", "pillow", "numpy")
LOW_DISK = 5 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        needed: Whether runs fail without it.
    """

    name: str
    ok: bool
    value: str
    hint: str | None = None
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(workspace: Path | None = None, packs: Iterable[str | Path] = ()) -> list[Finding]:
    """Look at this installation and this machine; nothing is written in the workspace.

    Raises:
        GraphErrors: E_PACK, a given pack folder does not exist.
    """
    return [*_versions(), *_devices(), *_places(workspace), *_packs(packs), *_extras()]


def _versions() -> Iterator[Finding]:
    yield Finding("hcpgraph", True, __version__)
    fits = sys.version_info[:2] >= PYTHON
    yield Finding("python", fits, platform.python_version(), f"install Python {PYTHON[0]}.{PYTHON[1]} or newer")
    yield Finding("system", True, platform.platform())
    for name in NEEDED:
        version = package_version(name)
        yield Finding(name, version != "-", "not installed" if version == "-" else version, f"pip install {name}")


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding(
            "devices", False, f"torch cannot be imported: {type(error).__name__}: {error}", "pip install torch"
        )
        return
    names = [f"cpu ({os.cpu_count()} cores)"]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        size = torch.cuda.get_device_properties(index).total_memory
        names.append(f"cuda:{index} {torch.cuda.get_device_name(index)} ({_bytes(size)})")
    if torch.backends.mps.is_available():
        names.append("mps")
    yield Finding("devices", True, ", ".join(names))


def _places(workspace: Path | None) -> Iterator[Finding]:
    folder = default_roots(workspace).workspace
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    note = "" if folder.exists() else " (will be made)"
    yield Finding("workspace", writable, f"{folder}{note}", "give a folder that you may write to: --workspace DIR")
    free = shutil.disk_usage(there).free
    yield Finding("disk", free >= LOW_DISK, f"{_bytes(free)} free", "models and checkpoints need room", needed=False)


def _packs(packs: Iterable[str | Path]) -> Iterator[Finding]:
    registry = default_registry(packs)
    for name, pack in registry.packs.items():
        number = sum(spec.pack == name for spec in registry.specs.values())
        yield Finding(
            f"pack {name}", number > 0, f"{number} nodes, version {pack.version}, {pack.folder}", "it has no nodes"
        )
    if not registry.packs:
        yield Finding("packs", False, "no pack is installed", "pip install --force-reinstall hcpgraph")
    for problem in registry.problems:
        yield Finding("broken", False, problem.message, problem.hint, needed=problem.severity == "error")
    manifests = cache_folder() / "manifests"
    number = len(list(manifests.glob("*.json"))) if manifests.is_dir() else 0
    yield Finding("manifests", number > 0, f"{number} in {manifests}", "they are made anew by every call", needed=False)


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        absent = missing(modules)
        value = f"not installed: {', '.join(absent)}" if absent else "installed"
        yield Finding(f"extra {extra}", not absent, value, f"pip install 'hcpgraph[{extra}]'", needed=False)


def _bytes(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
