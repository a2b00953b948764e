"""`--resume RUN`: the graph and the circumstances of an earlier run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..checking.analyse import default_roots
from ..document import load
from ..document.graph import Graph
from ..errors import GraphErrors
from ..paths import Roots
from ..running.options import Options


def again(run: str, asked: Options, device: str | None) -> tuple[Graph, Options]:
    """The graph of a recorded run, and how it was run: what is asked for now wins, roots, packs and writes add up.

    Args:
        run: Its id, its folder, or `last`.
        asked: How it is to be run.
        device: The device that is asked for; None takes that of the run.

    Raises:
        GraphErrors: E_RESUME, there is no such run or its record cannot be read.
    """
    folder = _folder(run, default_roots(asked.workspace, asked.roots))
    graph = load(folder / "graph.json")
    try:
        entry: dict[str, Any] = json.loads((folder / "run.json").read_bytes())
        roots = {str(name): Path(path) for name, path in entry["roots"].items()}
        packs = (Path(path) for path in entry["packs"])
        writes = (str(name) for name in entry.get("allow_write", ()))
        return graph, asked.given(
            device=device or str(entry["device"]),
            targets=asked.targets or [str(target) for target in entry["targets"]],
            workspace=asked.workspace or (folder.parent.parent if folder.parent.name == "runs" else None),
            roots={**roots, **(asked.roots or {})},
            packs=dict.fromkeys((*packs, *(Path(pack).resolve() for pack in asked.packs))),
            allow_write=dict.fromkeys((*writes, *asked.allow_write)),
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
