"""Which kind of image encoder lies in a folder, read from its configuration only (torch-free)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hcpgraph import table

from ..families.table import ENCODERS

SUBFOLDER = "image_encoder"


def place(path: Path) -> Path:
    """The folder of the encoder itself: the one that is named, or the one in the folder of a whole pipeline."""
    return path / SUBFOLDER if (path / SUBFOLDER / "config.json").is_file() else path


def probe(path: Path) -> str | None:
    """The kind of the encoder in a folder, by its configuration; None if it is not recognised."""
    try:
        config = json.loads((place(path) / "config.json").read_text("utf-8"))
        model_type = config.get("model_type")
    except (OSError, ValueError, RecursionError, AttributeError):
        return None
    return next((name for name, row in table(ENCODERS).items() if model_type in row.values["model_types"]), None)


def encoder_fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The kind that `encoder` names, or that lies at `path`."""
    named = settings.get("encoder", "auto")
    path = settings.get("path")
    if named != "auto":
        return str(named)
    return probe(resolve(path)) if isinstance(path, str) else None
