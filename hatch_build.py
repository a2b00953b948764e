"""Builds the editor into the wheel. An editable install skips it (`make web` builds it in a checkout)."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent


class EditorHook(BuildHookInterface):
    """Runs `web/tool.py build`, unless HCPGRAPH_SKIP_WEB=1."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or os.environ.get("HCPGRAPH_SKIP_WEB") == "1":
            return
        sys.path.insert(0, str(ROOT / "web"))
        import tool

        if code := tool.build():
            sys.exit(f"the editor could not be built (exit code {code}); HCPGRAPH_SKIP_WEB=1 leaves it out")
