"""What the events of a run add up to: the state of its nodes, its files, its log and its curves.

The page folds the same events by the same rules (web/src/state/runs), so that a snapshot and the events after it give
what all events give.
"""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from ...events import Event

LOG_LINES = 5_000
"""The tail of the log that a snapshot has; all of it is in events.jsonl."""
POINTS = 2_000
_PROGRESS = frozenset({"run", "seq", "t", "kind", "node", "value", "total"})


class Fold:
    """Everything that the events of a run say but the curves.

    Attributes:
        seq: Number of the last event taken in.
        nodes: Flat id -> state, as the schema's NodeRun.
        artifacts: Files that were written or found in the cache.
        last: The node that was last heard of.
        step: Node -> the last step that it reported numbers of.
        status: What the run said at its end; None before.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.nodes: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LINES)
        self.last: str | None = None
        self.step: dict[str, int] = {}
        self.status: str | None = None

    def take(self, event: Event) -> None:
        """Take an event in; one that is known already changes nothing."""
        if event["seq"] <= self.seq:
            return
        self.seq = event["seq"]
        kind, node = event["kind"], event.get("node")
        if kind == "artifact":
            self.artifacts.append({name: item for name, item in event.items() if name not in ("run", "kind")})
        elif kind == "log":
            self.log.append(_line(event))
        elif kind == "run_done":
            self._end(event.get("status"))
        elif node is not None:
            self.last = node
            if kind == "curve":
                return
            if kind == "metric":
                self.step[node] = event["step"]
            elif (state := _after(self.nodes.get(node), event)) is not None:
                self.nodes[node] = state

    def running(self) -> list[str]:
        """Nodes that were begun and have not ended, the one last heard of first."""
        found = [id for id, run in self.nodes.items() if run["state"] == "running"]
        return sorted(found, key=lambda id: id != self.last)

    def picture(self) -> str | None:
        """The first picture that was written."""
        return next((entry["uri"] for entry in self.artifacts if entry.get("type") == "image"), None)

    def to_json(self) -> dict[str, Any]:
        return {"seq": self.seq, "nodes": self.nodes, "artifacts": self.artifacts, "log": list(self.log)}

    def _end(self, status: Any) -> None:
        """A run that is over runs nothing."""
        self.status = status
        for id, run in self.nodes.items():
            if run["state"] == "running":
                self.nodes[id] = {**run, "state": "done" if status == "done" else "waiting"}


def _after(before: Mapping[str, Any] | None, event: Event) -> dict[str, Any] | None:
    """State of a node after an event.

    Nodes inside a region are not announced; their progress alone tells of them, so one that has done all of its items
    is done until it begins again.
    """
    kind = event["kind"]
    if kind in ("node_started", "node_skipped"):
        return {"state": "running" if kind == "node_started" else "skipped"}
    if kind == "node_cached":
        return {"state": "cached", **_said(event, "key", "made_by")}
    known = dict(before or {})
    if kind == "node_done":
        return {**known, "state": "done", "seconds": event["seconds"], **_said(event, "key")}
    if kind == "node_failed":
        trace = {"traceback": event["traceback"]} if event.get("traceback") else {}
        return {**known, "state": "failed", "problem": event["problem"], **trace}
    if kind == "checkpoint":
        step, gone = event["step"], {event["step"], *event["forgotten"]}
        kept = [one for one in known.get("checkpoints", ()) if one["step"] not in gone]
        written = {"step": step, "uri": event["uri"]}
        return {"state": "running", **known, "checkpoints": [*kept, written]}
    if kind == "progress":
        value, total = event["value"], event["total"]
        known |= {"state": "done" if value >= total else "running", "value": value, "total": total}
        numbers = {name: item for name, item in event.items() if name not in _PROGRESS and _is_number(item)}
        return {**known, "numbers": numbers} if numbers else known
    return None


def _said(event: Event, *names: str) -> dict[str, Any]:
    return {name: event[name] for name in names if event.get(name) is not None}


def _line(event: Event) -> dict[str, Any]:
    message = event.get("message", "")
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False, default=str)
    line = {"seq": event["seq"], "t": event["t"], "level": event.get("level", "info"), "message": text}
    return line if event.get("node") is None else {**line, "node": event["node"]}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Curves:
    """The numbers of a run by node and name, at full rate; infinite and undefined ones are gaps.

    Attributes:
        seq: Number of the last event taken in.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._points: dict[str, dict[str, tuple[array[int], array[float]]]] = {}

    def take(self, event: Event) -> None:
        """Take an event in; one that is known already changes nothing."""
        if event["seq"] <= self.seq:
            return
        self.seq = event["seq"]
        for name, step, value in _numbers(event):
            if _is_number(value) and value - value == 0:
                named = self._points.setdefault(event["node"], {})
                steps, values = named.setdefault(name, (array("q"), array("d")))
                steps.append(step)
                values.append(value)

    def to_json(self, limit: int = POINTS) -> dict[str, Any]:
        """The schema's Series: every curve thinned to at most `limit` points."""
        return {
            "seq": self.seq,
            "series": {
                node: {name: thin(steps, values, limit) for name, (steps, values) in named.items()}
                for node, named in self._points.items()
            },
        }


def thin(steps: array[int], values: array[float], limit: int) -> list[list[float]]:
    """At most `limit` points of a curve that look like all of them: ends, and extremes of equal pieces between them."""
    count = len(steps)
    if count <= limit:
        return [[step, value] for step, value in zip(steps, values, strict=True)]
    pieces = max((limit - 2) // 2, 1)
    chosen = {0, count - 1}
    for piece in range(pieces):
        begin, end = count * piece // pieces, count * (piece + 1) // pieces
        part = values[begin:end]
        chosen |= {begin + part.index(min(part)), begin + part.index(max(part))}
    return [[steps[index], values[index]] for index in sorted(chosen)]


def table(events: Iterator[Event]) -> Iterator[str]:
    """Lines of a CSV table with every number of a run, at full rate."""
    for event in events:
        for name, step, value in _numbers(event):
            yield f"{event['node']},{_cell(name)},{step},{value!r}\r\n"


def _numbers(event: Event) -> Iterator[tuple[str, int, Any]]:
    """Name, step and value of the points that an event tells: one each, or the curve of the steps that a training
    goes on from."""
    if event["kind"] == "metric":
        yield from ((name, event["step"], value) for name, value in event["values"].items())
    elif event["kind"] == "curve":
        yield from ((name, step, value) for name, points in event["series"].items() for step, value in points)


TABLE_HEAD = "node,name,step,value\r\n"


def _cell(text: str) -> str:
    """A cell of a CSV table; what a spreadsheet would take for a formula is text."""
    text = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if set(text) & set(',"\r\n') else text
