"""Small JSON files below `cache:` that spare reading through large files again."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any


def read_remembered(file: Path, stamp: str) -> Any:
    """What was written under this stamp, or None: not there, damaged, or of another stamp."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found.get("value") if isinstance(found, dict) and found.get("stamp") == stamp else None


def write_remembered(file: Path, stamp: str, value: Any) -> None:
    """Write it whole or not at all; a full or read-only disk is no error."""
    part = file.with_name(f".{file.name}.{token_hex(4)}.part")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps({"stamp": stamp, "value": value}, separators=(",", ":")), encoding="utf-8")
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)
