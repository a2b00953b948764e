"""Where the checkpoints of a training loop lie: one folder a step, complete or not there."""

from __future__ import annotations

import re
from pathlib import Path

STEP = re.compile(r"step-(\d{8})")


def checkpoint(folder: Path, step: int) -> Path:
    """The folder of the checkpoint of a step, `step-00000020`."""
    return folder / f"step-{step:08d}"


def steps(folder: Path) -> list[int]:
    """Steps of all complete checkpoints in a folder, ascending."""
    if not folder.is_dir():
        return []
    found = (STEP.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)
