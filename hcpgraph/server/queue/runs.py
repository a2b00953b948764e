"""The runs of a workspace as the server knows them: the one that goes on, and ended ones that pages look at."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from pathlib import Path

from ...events import Event
from .journal import Journal, stored
from .pictures import Pictures
from .progress import Curves, Fold

ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
KEPT = 8
"""Ended runs that stay in memory: as many as a page is likely to compare."""


class Run:
    """Events of one run and what they add up to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "events.jsonl")
        self.fold = Fold()
        self.curves = Curves()
        self.pictures = Pictures(folder / "pictures")

    def take(self, event: Event) -> None:
        """A live event."""
        self.journal.append(event)
        self.fold.take(event)
        self.curves.take(event)


class Runs:
    """Runs by id.

    Args:
        folder: The workspace's `runs`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._live: dict[str, Run] = {}
        self._kept: OrderedDict[str, tuple[int, Run]] = OrderedDict()
        self._reading = asyncio.Lock()

    def begin(self, id: str) -> Run:
        """A run that is about to start; its events come through `Run.take`."""
        run = self._live[id] = Run(self.folder / id)
        return run

    def end(self, id: str) -> None:
        """A run has ended: its file is whole from here on."""
        self._live.pop(id, None)

    def journal(self, id: str) -> Journal | None:
        """The events of a run that goes on, has ended or has yet to begin; None for what can be no run."""
        if not ID.fullmatch(id):
            return None
        live = self._live.get(id)
        return live.journal if live else Journal(self.folder / id / "events.jsonl")

    async def get(self, id: str) -> Run:
        """What the events of a run add up to; nothing where it has none."""
        if id in self._live:
            return self._live[id]
        async with self._reading:
            size = _size(self.folder / id / "events.jsonl")
            known = self._kept.pop(id, None)
            if known is None or known[0] != size:
                known = size, await asyncio.to_thread(_read, self.folder / id)
            self._kept[id] = known
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return known[1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read(folder: Path) -> Run:
    run = Run(folder)
    for event in stored(run.journal.path):
        run.fold.take(event)
        run.curves.take(event)
    run.journal.seq = run.fold.seq
    return run
