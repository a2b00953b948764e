"""What the header of a file of plugins of any kind says of its parts and kinds (torch-free), see `own`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..families.safetensors_file import safetensors_header
from ..selectors import COMPONENTS

KEY = "hcpgraph.plugins"
KINDS = "plugins"
"""The table of kinds."""
ADAPTERS = "adapters"
"""The row that stands for the adapters that other programs know too."""


def said(metadata: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Component -> its blocks, as a header has them; empty where it has none that can be read."""
    try:
        found = json.loads(metadata.get(KEY) or "{}")
        return {name: list(found[name]) for name in COMPONENTS if name in found}
    except (ValueError, RecursionError, TypeError, AttributeError):
        return {}


def kind_fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The row of the table whose code makes what is in a file; None where there are several, or nobody knows."""
    path = resolve(settings["path"])
    if path.suffix != ".safetensors" or not path.is_file():
        return ADAPTERS
    blocks = [block for each in said(safetensors_header(path).get("__metadata__") or {}).values() for block in each]
    rows = {str(block.get("kind")).partition(":")[0] if isinstance(block, dict) else "" for block in blocks}
    return ADAPTERS if not rows else rows.pop() if len(rows) == 1 else None
