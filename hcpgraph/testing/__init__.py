"""Helpers for tests of nodes and packs: a context without a run, and toy nodes (see `hcpgraph.testing.toys`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hcpgraph.context import Context, RunState, Scope
from hcpgraph.events import Event, EventLog
from hcpgraph.paths import Roots

from .imports import PUBLIC, private_imports

__all__ = ["FOLDER", "PUBLIC", "context", "private_imports"]


def context(
    workspace: Path, *, node: str = "node", seed: int = 0, path: tuple[int, ...] = (), step: int = 0, **state: Any
) -> Context:
    """A context as a node would get it, outside of any run.

    Args:
        workspace: Folder for the named roots.
        node: Id and stream name of the node.
        seed: Seed of the run.
        path: Indices of the enclosing regions that draw anew in every pass; none: as at the top.
        step: Position of the training loop.
        state: Further fields of `RunState`, such as `device` or `precision`.
    """
    events: list[Event] = []
    run = RunState(roots=Roots(workspace), events=EventLog("test", listener=events.append), seed=seed, **state)
    return Context(node, run, Scope(seed, path, not path, step=step))


FOLDER = Path(__file__).resolve().parent
"""A pack folder with toy nodes, for `packs=[FOLDER]`."""
