"""What the commands share: how they fail, what they print, and the options that say where things lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import LONGEST, Cancelled, Failure, Problem, visible

FAILED, WRONG, CANCELLED = 1, 2, 130
SHOWN = 100
F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose bad input ends in a list of problems and exit code 2, never in a traceback."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except click.UsageError as error:
            raise click.UsageError(visible(error.format_message(), LONGEST), error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            _named(ctx)
            return super().invoke(ctx)
        except Failure as failure:
            code = report(failure.problems, as_json=bool(ctx.params.get("as_json")), fallback=WRONG)
        except BrokenPipeError:
            raise
        except OSError as error:
            said(f"error: {error}")
            code = FAILED
        except (Cancelled, KeyboardInterrupt):
            code = CANCELLED
        ctx.exit(code)


def said(text: str = "", **style: Any) -> None:
    """One line for people, on stderr; what a stranger's file brings into it cannot play with the terminal."""
    click.secho(visible(text), err=True, **style)


def machine(data: Any) -> None:
    """One JSON value for programs, on stdout."""
    click.echo(json.dumps(data, indent=2))


def report(problems: Iterable[Problem], *, as_json: bool = False, fallback: int = 0) -> int:
    """Show every problem, errors first; returns the exit code: 2 if one is an error, else `fallback`."""
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.severity != "error")
    for problem in found if len(found) <= SHOWN else [*found[: SHOWN - 1], *found[-1:]]:
        show(problem)
    if len(found) > SHOWN:
        said(f"of {len(found):,} problems {SHOWN} are shown; --json lists them")
    wrong = any(problem.severity == "error" for problem in found)
    if as_json:
        machine({"ok": not wrong, "problems": [problem.to_json() for problem in found]})
    return WRONG if wrong else fallback


def show(problem: Problem) -> None:
    said(f"{problem.severity}: {problem}", fg="red" if problem.severity == "error" else "yellow")


def _root(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    roots = {}
    for value in values:
        name, equals, folder = value.partition("=")
        if not (equals and folder and re.fullmatch("[a-z]+", name)):
            raise click.BadParameter(f"'{value}' is not NAME=DIR with a name in lower case letters")
        if Path(folder).exists() and not Path(folder).is_dir():
            raise click.BadParameter(f"'{folder}' is no folder")
        roots[name] = Path(folder)
    return roots


class Named(click.Path):
    """A file by its path, or by its `root:relative` name: both mean the same in every command that takes a file."""


FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = Named(path_type=Path)


def _named(ctx: click.Context) -> None:
    """Put the real path for every `root:relative` name that an argument has, by the command's own roots.

    Raises:
        GraphError: E_PATH, the name leaves its root.
    """
    for parameter in ctx.command.params:
        given = ctx.params.get(parameter.name or "")
        if not isinstance(parameter.type, Named) or given is None:
            continue
        files = given if isinstance(given, tuple) else (given,)
        found = tuple(file if file.exists() else _real(str(file), ctx.params) for file in files)
        ctx.params[str(parameter.name)] = found if isinstance(given, tuple) else found[0]


def _real(name: str, params: Mapping[str, Any]) -> Path:
    match = re.match(r"([a-z]+):", name)
    if match is None:
        return Path(name)
    from ..paths import Roots

    overrides = {**(params.get("roots") or {}), **({"out": params["out"]} if params.get("out") else {})}
    roots = Roots(Path(params.get("workspace") or "workspace").resolve(), overrides)
    return roots.resolve(name, must_exist=False) if match[1] in roots.names() else Path(name)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
pack_option = click.option(
    "--pack", "packs", multiple=True, type=FOLDER, metavar="DIR", help="Folder with further nodes; may be repeated."
)
workspace_option = click.option(
    "--workspace", type=FOLDER, metavar="DIR", help="Folder of data, models, out, cache and runs. [default: workspace]"
)
root_option = click.option(
    "--root",
    "roots",
    multiple=True,
    callback=_root,
    metavar="NAME=DIR",
    help="Where a named root lies, for example data=DIR; may be repeated.",
)
allow_write_option = click.option(
    "--allow-write",
    "allow_write",
    multiple=True,
    metavar="ROOT",
    help="Let nodes write below this root too, not only to out and new weights to models; may be repeated.",
)
