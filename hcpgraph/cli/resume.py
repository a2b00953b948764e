"""`--resume RUN`: the graph and the circumstances of an earlier run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..document.graph import Graph
from ..errors import GraphErrors
from ..paths import Roots


@dataclass(frozen=True)
class Earlier:
    """A recorded run.

    Attributes:
        workspace: Folder of its roots, None where the run's folder does not tell.
    """

    graph: Graph
    device: str
    targets: list[str]
    roots: dict[str, Path]
    packs: tuple[Path, ...]
    workspace: Path | None
    allow_write: tuple[str, ...]


def earlier(run: str, places: Roots) -> Earlier:
    """Find and read a run: its id, its folder, or `last`.

    Raises:
        GraphErrors: E_RESUME, there is no such run or its record cannot be read.
    """
    from ..document import load

    folder = _folder(run, places)
    graph = load(folder / "graph.json")
    try:
        entry: dict[str, Any] = json.loads((folder / "run.json").read_bytes())
        return Earlier(
            graph,
            str(entry["device"]),
            [str(target) for target in entry["targets"]],
            {str(name): Path(path) for name, path in entry["roots"].items()},
            tuple(Path(path) for path in entry["packs"]),
            folder.parent.parent if folder.parent.name == "runs" else None,
            tuple(str(name) for name in entry.get("allow_write", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the record of run '{folder.name}' cannot be read: {type(error).__name__}: {error}"
        raise GraphErrors.one("E_RESUME", message, hint=f"run its graph instead: {folder / 'graph.json'}") from None


def _folder(run: str, places: Roots) -> Path:
    runs = places.root("runs")
    known = [path.parent for path in runs.glob("*/run.json") if path.with_name("graph.json").is_file()]
    if run == "last":
        if not known:
            raise GraphErrors.one(
                "E_RESUME", f"there is no run in {runs}", hint="give the workspace with --workspace DIR"
            )
        return max(known, key=lambda folder: ((folder / "graph.json").stat().st_mtime_ns, folder.name))
    by_id = next((folder for folder in known if folder.name == run), None)
    if by_id is not None:
        return by_id
    given = Path(run).resolve()
    if (given / "run.json").is_file():
        return given
    from ..errors import did_you_mean

    hint = did_you_mean(run, (folder.name for folder in known), "runs")
    if given.is_file():
        hint = f"a graph comes first: hcpgraph run {run} --resume"
    raise GraphErrors.one("E_RESUME", f"there is no run '{run}' in {runs}", hint=hint)
