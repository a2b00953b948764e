"""Small JSON files below `cache:` that spare reading through large files again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hcpgraph.atomic import write_text


def read_remembered(file: Path, stamp: str) -> Any:
    """What was written under this stamp, or None: not there, damaged, or of another stamp."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found.get("value") if isinstance(found, dict) and found.get("stamp") == stamp else None


def write_remembered(file: Path, stamp: str, value: Any) -> None:
    """Write it whole or not at all; a full or read-only disk is no error."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps({"stamp": stamp, "value": value}, separators=(",", ":")))
