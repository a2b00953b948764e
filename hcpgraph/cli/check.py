"""`hcpgraph check`: what a graph would train on, before anything is trained."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import GraphErrors, Problem
from ..processes.commands import end_with_stdin
from .common import (
    CANCELLED,
    FILE,
    WRONG,
    Command,
    json_option,
    machine,
    pack_option,
    report,
    root_option,
    said,
    workspace_option,
)

if TYPE_CHECKING:
    from ..declaring.registry import Registry


@click.command("check", cls=Command)
@click.argument("graph", type=FILE)
@click.option("--set", "pairs", multiple=True, metavar="NODE.SETTING=VALUE", help="Change a setting; may be repeated.")
@json_option
@click.option("--html", type=FILE, metavar="FILE", help="Write a page to keep: one file, with pictures.")
@click.option(
    "--samples", type=click.IntRange(0, 240), default=24, show_default=True, help="Pictures of the contact sheet."
)
@click.option("--decode", is_flag=True, help="Decode every picture in full, as training will.")
@click.option("--lang", metavar="LANGUAGE", help="en or zh-CN. [default: that of the locale]")
@workspace_option
@root_option
@pack_option
@click.option("--follow", is_flag=True, hidden=True, help="Progress as JSON lines on stderr; ends when stdin closes.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    graph: Path,
    pairs: tuple[str, ...],
    as_json: bool,
    html: Path | None,
    samples: int,
    decode: bool,
    lang: str | None,
    workspace: Path | None,
    roots: dict[str, Path],
    packs: tuple[Path, ...],
    follow: bool,
) -> None:
    """Say what GRAPH would train on: pictures, captions, buckets, batches, epochs, and what looks wrong.

    No weights are loaded and nothing is trained. Exit code 2 if the graph or its data is wrong; warnings are no error.
    """
    from ..declaring.registry import default_registry
    from .signals import stoppable

    registry = default_registry(packs)
    reporter = _reporter(registry)
    language = reporter.chosen(lang)
    if lang is not None and language != lang:
        raise click.BadParameter(f"'{lang}' is none of {', '.join(reporter.languages())}", param_hint="--lang")
    options = reporter.Options(samples=samples, decode=decode, language=language)
    try:
        with stoppable() as cancel, _Following() if follow else _display(as_json) as progress:
            made = _made(
                reporter,
                graph,
                pairs,
                registry,
                workspace=workspace,
                roots=roots,
                options=options,
                progress=progress,
                cancel=cancel,
            )
    except GraphErrors as errors:
        if not as_json:
            raise
        problems = [problem.to_json() for problem in errors.problems]
        made = {"ok": False, "lang": language, "title": None, "problems": problems, "notes": [], "loaders": []}
    if html is not None:
        from ..atomic import write_text

        write_text(html, reporter.page(made))
    if as_json:
        machine(made)
    else:
        _show(reporter, made)
        if html is not None:
            said(f"{html}: written")
    ctx.exit(0 if made["ok"] else WRONG)


def _reporter(registry: Registry) -> Any:
    """The `report` package of a pack: the engine itself knows nothing of pictures and captions.

    Raises:
        GraphErrors: E_PACK, no installed pack has one.
    """
    for pack in registry.packs.values():
        name = f"{pack.module}.report"
        if pack.module is not None and find_spec(name) is not None:
            return import_module(name)
    raise GraphErrors.one("E_PACK", "no installed pack can report on data", hint="pip install hcpgraph")


def _made(
    reporter: Any,
    path: Path,
    pairs: Iterable[str],
    registry: Registry,
    *,
    workspace: Path | None,
    roots: dict[str, Path],
    options: Any,
    progress: Any,
    cancel: threading.Event,
) -> dict[str, Any]:
    from ..checking.analyse import analyse, default_roots
    from ..document import load
    from ..document.overrides import with_settings
    from ..document.required_files import locate
    from .given import parse_settings

    graph = load(path)
    places = default_roots(workspace, roots)
    graph = with_settings(graph, parse_settings(pairs, graph, registry), registry)
    graph, notes = locate(graph, places)
    analysis = analyse(graph, registry, places, files=True)
    problems = [*notes, *registry.problems]
    made: dict[str, Any] = reporter.report(
        analysis, places, options, problems=problems, progress=progress, cancel=cancel
    )
    return made


def _show(reporter: Any, made: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120)
    for part in reporter.tables(made):
        console.print(part)
    report(Problem(**problem) for problem in made["problems"])
    for note in made["notes"]:
        said(f"{note['node']}: {note['message']}", fg=None if note["level"] == "info" else "yellow")


def _display(quiet: bool) -> Any:
    """A progress bar on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        return nullcontext(lambda node, value, total: None)
    return _Bar()


class _Bar:
    def __enter__(self) -> _Bar:
        from .progress import Bars

        self._bars = Bars()
        self._bars.__enter__()
        self._node: str | None = None
        return self

    def __exit__(self, *error: Any) -> None:
        self._bars.__exit__(*error)

    def __call__(self, node: str, value: int, total: int) -> None:
        if node != self._node:
            if self._node is not None:
                self._bars({"kind": "node_done", "node": self._node, "seconds": 0})
            self._bars({"kind": "node_started", "node": node})
            self._node = node
        if total:
            self._bars({"kind": "progress", "node": node, "value": value, "total": total})


class _Following:
    """Tells progress on stderr, one JSON line each, and ends with the process that holds the other end of stdin."""

    def __enter__(self) -> _Following:
        end_with_stdin(CANCELLED)
        return self

    def __exit__(self, *error: Any) -> None:
        return

    def __call__(self, node: str, value: int, total: int) -> None:
        sys.stderr.write(json.dumps({"node": node, "value": value, "total": total}) + "\n")
        sys.stderr.flush()
