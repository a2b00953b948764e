"""What a run shows while it goes on: bars on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

from ..errors import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0


class Display(Protocol):
    """A listener of events that is open during the run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, event: dict[str, Any]) -> None: ...

    def line(self, text: str) -> None: ...


def display(*, brief: bool = False) -> Display:
    """The display that fits stderr.

    Args:
        brief: Leave out all lines but those of progress and warnings.
    """
    return Bars(brief) if sys.stderr.isatty() else Lines(brief)


class Lines:
    """One line when a node starts, is done or fails, and at most one in five seconds of its progress."""

    def __init__(self, brief: bool = False) -> None:
        self._brief = brief
        self._told: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def line(self, text: str) -> None:
        """Print; a pipe that nobody reads any more must not end a run."""
        with suppress(OSError):
            click.echo(visible(text), err=True)

    def __call__(self, event: dict[str, Any]) -> None:
        kind, node = event["kind"], event.get("node", "")
        now = time.monotonic()
        if kind == "node_started":
            self._told[node] = now
            self._first.pop(node, None)
        elif kind == "progress":
            self._first.setdefault(node, (now, event["value"]))
            if now - self._told.get(node, now - LINE_SECONDS) < LINE_SECONDS:
                return
            self._told[node] = now
            self.line(f"{node}: {amount(event)}{self._left(node, event, now)}{numbers(event)}")
            return
        if (text := sentence(event)) is not None and not (self._brief and quiet(event)):
            self.line(text)

    def _left(self, node: str, event: dict[str, Any], now: float) -> str:
        """The time left, by the pace since the first report: what an earlier run did is no work of this one."""
        done, total = event["value"], event["total"]
        since, before = self._first[node]
        if done <= before or total <= done:
            return ""
        return f", {duration((now - since) / (done - before) * (total - done))} left"


class Bars:
    """A bar for every node that runs, with the time left and its numbers."""

    def __init__(self, brief: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=Console(stderr=True),
        )
        self._brief = brief
        self._tasks: dict[str, TaskID] = {}
        self._running: set[str] = set()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def line(self, text: str) -> None:
        self._progress.console.print(visible(text), markup=False, highlight=False)

    def __call__(self, event: dict[str, Any]) -> None:
        kind, node = event["kind"], event.get("node", "")
        if kind == "node_started":
            self._running.add(node)
            self._tasks[node] = self._progress.add_task(node, total=None, numbers="")
        elif kind == "progress":
            self._advance(node, event)
        elif kind in ("node_done", "node_failed") and node in self._tasks:
            self._progress.remove_task(self._tasks.pop(node))
        short = kind == "node_done" and event["seconds"] < 1
        left_out = kind in ("node_started", "node_cached") or short or (self._brief and quiet(event))
        if not left_out and (text := sentence(event)) is not None:
            self.line(text)

    def _advance(self, node: str, event: dict[str, Any]) -> None:
        """Nodes inside of a region are not announced: their bar is there from the first item to the last."""
        inside = node not in self._running
        if node not in self._tasks:
            self._tasks[node] = self._progress.add_task(node, numbers="")
        told = numbers(event).lstrip(", ")
        self._progress.update(self._tasks[node], completed=event["value"], total=event["total"], numbers=told)
        if inside and event["value"] >= event["total"]:
            self._progress.remove_task(self._tasks.pop(node))


def quiet(event: dict[str, Any]) -> bool:
    """Whether a brief display leaves an event out: all that went as it should."""
    return event["kind"] != "node_failed" and event.get("level") != "warning"


def sentence(event: dict[str, Any]) -> str | None:
    """An event in words; None for those that are not told one by one."""
    kind, node = event["kind"], event.get("node", "")
    if kind == "node_started":
        return f"{node}: started"
    if kind == "node_done":
        return f"{node}: done in {duration(event['seconds'])}"
    if kind == "node_cached":
        return f"{node}: from the cache"
    if kind == "node_failed":
        return f"{node}: failed"
    if kind == "node_skipped":
        return f"{node}: left out, it stands on a node that failed"
    if kind == "log":
        return f"{node}: {event['message']}"
    if kind == "artifact" and not event.get("cached"):
        return f"{node}: wrote {event['uri']}"
    return None


def amount(event: dict[str, Any]) -> str:
    return f"{event['value']} of {event['total']}"


def numbers(event: dict[str, Any]) -> str:
    """The further numbers of a progress event, such as the loss."""
    known = ("run", "seq", "t", "kind", "node", "value", "total")
    found = {name: item for name, item in event.items() if name not in known}
    return "".join(
        f", {name} {item:.4g}" if isinstance(item, float) else f", {name} {item}" for name, item in found.items()
    )


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.12 s, 3.1 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
