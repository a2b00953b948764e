"""Which Python classes a graph may name (DESIGN §8): a shipped list without wildcards, and the user's own.

A graph can name a class but never add one: only `hcpgraph trust add` writes the user's list. Importing this module
imports nothing of what the lists name.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .atomic import write_text
from .errors import GraphError, GraphErrors, Problem, suggest

SHIPPED = Path(__file__).with_name("trusted.json")
FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
HOW = "write package.module:Class, for example torch.optim:AdamW"


@lru_cache(maxsize=1)
def shipped() -> dict[str, tuple[str, ...]]:
    """The reviewed classes that come with hcpgraph, by what they are for."""
    return {kind: tuple(paths) for kind, paths in json.loads(SHIPPED.read_bytes()).items()}


def user_file() -> Path:
    """The user's own list: a JSON list of `package.module:Class`."""
    if given := os.environ.get("HCPGRAPH_CONFIG"):
        return Path(given) / "trusted.json"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "hcpgraph" / "trusted.json"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hcpgraph" / "trusted.json"


def added() -> list[str]:
    """What the user trusts beyond the shipped list.

    Raises:
        GraphErrors: E_TRUST_FILE, the list cannot be read; nothing is trusted on its behalf.
    """
    path = user_file()
    try:
        listed = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise GraphErrors.one("E_TRUST_FILE", f"{path} cannot be read: {error}", hint="repair or delete it") from None
    if not (isinstance(listed, list) and all(isinstance(item, str) and FORM.fullmatch(item) for item in listed)):
        raise GraphErrors.one(
            "E_TRUST_FILE", f"{path} is no JSON list of package.module:Class", hint="repair or delete it"
        )
    return listed


def add(path: str) -> bool:
    """Put a class on the user's list; False if it was trusted already. Nothing is imported.

    Raises:
        GraphErrors: E_TRUST, it is not written `package.module:Class`; E_TRUST_FILE.
    """
    if not FORM.fullmatch(path):
        raise GraphErrors.one("E_TRUST", f"'{path}' names no class", hint=HOW)
    if is_trusted(path):
        return False
    _write([*added(), path])
    return True


def remove(path: str) -> None:
    """Take a class off the user's list.

    Raises:
        GraphErrors: E_TRUST, it is not on it; E_TRUST_FILE.
    """
    own = added()
    if path not in own:
        note = "it comes with hcpgraph" if is_trusted(path) else "see: hcpgraph trust list"
        raise GraphErrors.one("E_TRUST", f"'{path}' is not on your list", hint=note)
    _write([item for item in own if item != path])


def is_trusted(path: str) -> bool:
    """Whether a graph may name this class."""
    return any(path in paths for paths in shipped().values()) or path in added()


def check(path: str) -> Problem | None:
    """What is wrong with naming this class, or None; nothing is imported."""
    if not FORM.fullmatch(path):
        return Problem("E_TRUST", f"'{path[:200]}' names no class", hint=HOW)
    if is_trusted(path):
        return None
    close = suggest(path, [item for paths in shipped().values() for item in paths])
    meant = f"did you mean {close}? If not, and " if close else "If "
    hint = f"{meant}you know its code and trust it: hcpgraph trust add {path}"
    return Problem("E_TRUST", f"'{path}' is not on your trust list and is not imported", hint=hint)


def resolve(path: str) -> type[Any]:
    """Import a trusted class.

    Raises:
        GraphError: E_TRUST, it is not trusted; E_IMPORT, it is not there or is no class.
    """
    if (problem := check(path)) is not None:
        raise GraphError(problem.code, problem.message, hint=problem.hint)
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:
        package = module.partition(".")[0]
        message = f"'{path}' cannot be imported: {type(error).__name__}: {error}"
        raise GraphError("E_IMPORT", message, hint=f"pip install {package}, or correct the name") from error
    if not inspect.isclass(found):
        raise GraphError("E_IMPORT", f"'{path}' is a {type(found).__name__}, not a class", hint=HOW)
    return found


def _write(paths: list[str]) -> None:
    path = user_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(sorted(paths), indent=2) + "\n")
    except OSError as error:
        raise GraphErrors.one("E_TRUST_FILE", f"{path}: {error.strerror or error}") from None
