"""The events of one run: those on the disk, and behind them those that a running worker has told since.

The engine writes `events.jsonl` through a buffer, so the last quarter of a second may be in the worker's message
before it is on the disk. Both together hold every event once, which is what replaying after any number stands on.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ...events import Event

NUMBER = re.compile(rb'"seq":\s*(\d+)')
BLOCK = 64 * 1024
RECENT = 2_048
"""Events that stay in memory although they are on the disk: what live pages ask for."""
TRIM = 4_096


class Journal:
    """Reads the events of a run after any number.

    Args:
        path: Its `events.jsonl`, which need not be there yet.

    Attributes:
        seq: Number of the last event that was told live; 0 where nothing was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = 0
        self._tail: list[Event] = []
        self._check = TRIM

    def append(self, event: Event) -> None:
        """Take a live event; older ones that are surely on the disk are forgotten."""
        self._tail.append(event)
        self.seq = event["seq"]
        if len(self._tail) >= self._check:
            written = last_seq(self.path)
            gone = bisect_right(self._tail, written, hi=len(self._tail) - RECENT, key=_seq)
            del self._tail[:gone]
            self._check = len(self._tail) + TRIM - RECENT

    async def after(self, since: int, limit: int = RECENT) -> list[Event]:
        """At most `limit` events after number `since`, in order, without a gap; none if there are none yet."""
        if self._reaches(since):
            return self._recent(since, limit)
        events = await asyncio.to_thread(lambda: list(islice(stored(self.path, since), limit)))
        last = events[-1]["seq"] if events else since
        if len(events) < limit and self._tail and (self._reaches(last) or not events):
            events += self._recent(last, limit - len(events))
        return events

    def conclude(self, endings: Iterable[Event]) -> list[Event]:
        """Make the file whole after its writer died: no half line, nothing missing that was told, and an end.

        Args:
            endings: Events without `run`, `seq` and `t`, written unless the run has said itself that it is done.

        Returns:
            What was written and nobody was told.

        Raises:
            OSError: the disk does not take it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            _cut_half_line(file)
            last = _last_event(file)
            seq = last["seq"] if last else 0
            missing = [event for event in self._tail if event["seq"] > seq]
            unheard = list(stored(self.path, self.seq)) if self.seq < seq else []
            last = missing[-1] if missing else last
            fresh: list[Event] = []
            if last is None or last["kind"] != "run_done":
                seq = last["seq"] if last else 0
                run, now = self.path.parent.name, round(time.time(), 3)
                fresh = [{"run": run, "seq": seq + at, "t": now, **event} for at, event in enumerate(endings, 1)]
            for event in (*missing, *fresh):
                file.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        return [*unheard, *fresh]

    def _reaches(self, since: int) -> bool:
        return bool(self._tail) and since >= self._tail[0]["seq"] - 1

    def _recent(self, since: int, limit: int) -> list[Event]:
        first = bisect_right(self._tail, since, key=_seq)
        return self._tail[first : first + limit]


def stored(path: Path, since: int = 0) -> Iterator[Event]:
    """The events on the disk after number `since`; a half-written last line is left out.

    Unlike `hcpgraph.events.replay` it does not read what comes before: it looks for the place.
    """
    try:
        file = path.open("rb")
    except OSError:
        return
    with file:
        file.seek(_offset(file, since) if since > 0 else 0)
        for line in file:
            if not line.endswith(b"\n"):
                return
            if (event := _parsed(line)) is not None and event["seq"] > since:
                yield event


def last_seq(path: Path) -> int:
    """Number of the last whole event on the disk; 0 where there is none."""
    with suppress(OSError), path.open("rb") as file:
        last = _last_event(file)
        return last["seq"] if last else 0
    return 0


def _offset(file: BinaryIO, since: int) -> int:
    """Where a line begins that lies at most a block before the first event after `since`."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > BLOCK:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        start = file.tell()
        found = NUMBER.search(file.readline(1024)) if start < high else None
        if found is None or int(found[1]) > since:
            high = middle
        else:
            low = start
    return low


def _last_event(file: BinaryIO) -> Event | None:
    end = file.seek(0, os.SEEK_END)
    size = BLOCK
    while True:
        begin = max(0, end - size)
        file.seek(begin)
        lines = file.read(end - begin).split(b"\n")
        for line in reversed(lines[1:-1] if begin else lines[:-1]):
            if (event := _parsed(line)) is not None:
                return event
        if not begin:
            return None
        size *= 4


def _cut_half_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - BLOCK)
        file.seek(begin)
        place = file.read(end - begin).rfind(b"\n")
        if place >= 0:
            file.truncate(begin + place + 1)
            return
        end = begin
    file.truncate(0)


def _parsed(line: bytes) -> Event | None:
    try:
        event: Any = json.loads(line)
        return event if isinstance(event["seq"], int) and isinstance(event["kind"], str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _seq(event: Event) -> int:
    number: int = event["seq"]
    return number
