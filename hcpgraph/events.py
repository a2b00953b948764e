"""What a run tells: typed events, written as JSON lines and handed to listeners.

Every event is a flat dict `{run, seq, t, kind, node?, …}`. Only changes are sent: a listener that was away reads the
lines after its last `seq`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, get_args

Kind = Literal[
    "run_started",
    "node_started",
    "node_done",
    "node_cached",
    "node_failed",
    "node_skipped",
    "progress",
    "metric",
    "curve",
    "artifact",
    "checkpoint",
    "log",
    "run_done",
]
KINDS = frozenset(get_args(Kind))
Event = dict[str, Any]
Listener = Callable[[Event], None]


class EventLog:
    """The event stream of one run.

    Args:
        run: Id of the run.
        path: File for the JSON lines, or None; every line is written when its event happens.
        listener: Called with every event in the thread that made it.

    Attributes:
        broken: Why the file ends before the run did; None where it does not.
    """

    def __init__(self, run: str, path: Path | None = None, listener: Listener | None = None) -> None:
        self.run = run
        self.seq = 0
        self.listener = listener
        self.broken: str | None = None
        self._file: IO[str] | None = None
        self._encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=True).encode
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def emit(self, kind: Kind, node: str | None = None, **fields: Any) -> None:
        self.seq += 1
        event: Event = {"run": self.run, "seq": self.seq, "t": round(time.time(), 3), "kind": kind}
        if node is not None:
            event["node"] = node
        event.update(fields)
        if self._file is not None:
            try:
                self._file.write(self._encode(event) + "\n")
            except OSError as error:
                self._stop(error)
        if self.listener is not None:
            self.listener(event)

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self.broken = self.broken or str(error)
            self._file = None

    def _stop(self, error: OSError) -> None:
        """The disk takes no more: the run goes on without its record, and says so once."""
        self.broken = error.strerror or str(error)
        self.close()
        self.emit("log", message=f"the record of this run ends here: {self.broken}", level="warning")


def replay(path: Path, since: int = 0) -> Iterator[Event]:
    """The events of a finished or running run after number `since`; a half-written last line is left out."""
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            event = json.loads(line)
            if event["seq"] > since:
                yield event
