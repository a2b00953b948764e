"""Reports on data: `hcpgraph check` in processes of their own, one at a time a graph, ended with who asked."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import GraphErrors, Problem
from ...paths import Roots
from ...processes import commands
from .validate import Packs, submitted

if TYPE_CHECKING:
    from ...processes.commands import Child

SECONDS = 600.0
MOST = 2
"""Reports that are made at once: each is a process with torch in it."""
LINE_BYTES = 1 << 20
LAST_LINES = 20

Line = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A report that is wanted.

    Attributes:
        text: The graph.
        of: Names the graph in the page; the next report of the same name ends this one.
        lang: Language of its words.
        samples: Pictures of the contact sheet.
        decode: Whether every picture is decoded in full.
    """

    text: str
    of: str
    lang: str
    samples: int
    decode: bool


def asked(data: bytes, languages: tuple[str, ...]) -> Asked:
    """The body of a request. Runs in a helper process.

    Raises:
        GraphErrors: the body or its graph is malformed.
    """
    sent = submitted(data)
    fields = sent.fields
    of, lang, samples, decode = (
        fields.get("of", ""),
        fields.get("lang", languages[0]),
        fields.get("samples", 24),
        fields.get("decode", False),
    )
    problems = []
    if not (isinstance(of, str) and len(of) <= 200):
        problems.append(Problem("E_FIELD", "of is a text of at most 200 characters"))
    if lang not in languages:
        problems.append(Problem("E_FIELD", f"lang is one of {', '.join(languages)}"))
    if not (type(samples) is int and 0 <= samples <= 240):
        problems.append(Problem("E_FIELD", "samples is 0 … 240"))
    if not isinstance(decode, bool):
        problems.append(Problem("E_FIELD", "decode is true or false"))
    if problems:
        raise GraphErrors(problems)
    return Asked(sent.graph.dump(), of or sent.graph.content_hash(), lang, samples, decode)


class Reports:
    """The reports that are being made for one server.

    Args:
        roots, packs: Of the workspace.
        seconds: How long one may take.
    """

    def __init__(self, roots: Roots, packs: Packs, seconds: float = SECONDS) -> None:
        self._roots = roots
        self._packs = packs
        self._seconds = seconds
        self._running: dict[str, Child] = {}
        self._closed = False

    async def start(self, wanted: Asked) -> Making:
        """Begin one; an earlier one of the same graph ends.

        Raises:
            GraphErrors: E_BUSY, too many are being made, or the server is stopping.
        """
        earlier = self._running.pop(wanted.of, None)
        if earlier is not None:
            commands.end(earlier)
        if self._closed or len(self._running) >= MOST:
            hint = "wait until one is done, or end it"
            raise GraphErrors.one("E_BUSY", f"{len(self._running)} reports are being made already", hint=hint)
        handle, name = tempfile.mkstemp(prefix="hcpgraph-check-", suffix=".json")
        file = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as opened:
                opened.write(wanted.text)
            process = await commands.start(*self._command(wanted, file), stderr=True, line_bytes=LINE_BYTES)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        self._running[wanted.of] = process
        return Making(process, file, self._seconds, lambda: self._done(wanted.of, process))

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        for process in self._running.values():
            commands.end(process)

    def _done(self, of: str, process: Child) -> None:
        if self._running.get(of) is process:
            del self._running[of]

    def _command(self, wanted: Asked, file: Path) -> list[str]:
        command = ["-m", "hcpgraph.cli", "check", str(file), "--json", "--follow"]
        command += ["--lang", wanted.lang, "--samples", str(wanted.samples)]
        command += ["--decode"] if wanted.decode else []
        command += ["--workspace", str(self._roots.workspace)]
        for name, folder in self._roots.overrides.items():
            command += ["--root", f"{name}={folder}"]
        for pack in self._packs:
            command += ["--pack", str(pack)]
        return command


class Making:
    """One report that is being made."""

    def __init__(self, process: Child, file: Path, seconds: float, done: Callable[[], None]) -> None:
        self._process = process
        self._file = file
        self._seconds = seconds
        self._done = done
        self._said: list[str] = []
        self._progress: Line | None = None

    async def lines(self, every: float) -> Any:
        """The lines of the reply: progress at most every so many seconds, or None when there is none; then the end."""
        assert self._process.stdout is not None
        listening = asyncio.create_task(self._listen())
        reading = asyncio.create_task(self._process.stdout.read())
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=every)
                progress, self._progress = self._progress, None
                yield progress
                if loop.time() > until and not reading.done():
                    message = f"the report took more than {self._seconds:g} seconds and was given up"
                    yield failed([Problem("E_BUSY", message, hint="hcpgraph check has no time limit")])
                    return
            await asyncio.wait({listening})
            yield self._end(reading.result(), await self._process.wait())
        finally:
            commands.end(self._process)
            reading.cancel()
            listening.cancel()
            await asyncio.gather(reading, listening, return_exceptions=True)
            await self._process.wait()
            self._file.unlink(missing_ok=True)
            self._done()

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        with suppress(ValueError):
            while line := await self._process.stderr.readline():
                text = line.decode(errors="replace").strip()
                try:
                    told = json.loads(text)
                    self._progress = {"kind": "progress", **{name: told[name] for name in ("node", "value", "total")}}
                except (ValueError, TypeError, KeyError):
                    self._said = [*self._said, text][-LAST_LINES:]

    def _end(self, data: bytes, code: int) -> Line:
        try:
            return {"kind": "report", "report": json.loads(data)}
        except ValueError:
            last = next((f": {line[:500]}" for line in reversed(self._said) if line), "")
            return failed(
                [Problem("E_CHECK", f"the process that makes the report {commands.how_it_ended(code)}{last}")]
            )


def failed(problems: list[Problem]) -> Line:
    return {"kind": "failed", "problems": [problem.to_json() for problem in problems]}


def to_line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
