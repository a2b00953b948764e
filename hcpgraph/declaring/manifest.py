"""The manifest of a pack, which is read instead of importing it.

It is built in a process of its own: reading it never imports torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..errors import GraphErrors, Problem
from ..importing import folder_module, import_module
from ..paths import cache_folder
from .pack import Pack
from .tables import Row, know, read_row


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


def manifest(pack: Pack) -> dict[str, Any]:
    """Specs, types, rows of tables and problems of a pack as JSON, from the disk or by importing it in another process.

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
    from ..processes.commands import run

    done = run("-m", "hcpgraph.declaring.manifest", pack.name, str(pack.folder), pack.module or "", pack.version)
    if done.code != 0:
        last = (done.said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        message, hint = f"pack '{pack.name}' cannot be imported: {last}", f"its folder is {pack.folder}"
        problem = Problem("E_PACK", message, hint=hint, severity="warning")
        return {"specs": [], "types": [], "rows": [], "problems": [problem.to_json()]}
    data: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return data


def build(pack: Pack) -> dict[str, Any]:
    """Import every module of a pack in this process and describe what it declares; a broken one becomes a problem."""
    from ..types import registered
    from .node import declared

    problems: list[Problem] = []
    rows = _rows(pack, problems)
    know(str(pack.folder), rows)
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
        "rows": [row.to_json() for row in rows],
        "problems": [problem.to_json() for problem in problems],
    }


def _rows(pack: Pack, problems: list[Problem]) -> list[Row]:
    """The rows of tables that the modules of a pack declare; what cannot be read is left out and told."""
    found = []
    for module, file in pack.sources():
        try:
            row = read_row(module, file)
        except (ValueError, OSError) as error:
            message = f"the table row in '{file}' is left out: {error}"
            problems.append(Problem("E_PACK", message, hint="write literals only", severity="warning"))
            continue
        except SyntaxError:
            continue
        if row is not None:
            found.append(row)
    return found


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
    from ..processes.commands import end_with_stdin

    end_with_stdin()
    arguments = sys.argv[1:]
    described = build(Pack(arguments[0], Path(arguments[1]), arguments[2] or None, arguments[3]))
    sys.stdout.write(f"\n{json.dumps(described)}\n")
