"""What was meant by the name of a graph file that is not there: a file beside it, or a template."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import GraphErrors, hidden, suggest
from .shipped import moved, names, notice

KINDS = (".json", ".png", ".safetensors")
"""Endings of files that carry graphs."""


def no_file(path: str | os.PathLike[str]) -> GraphErrors:
    """The error for a graph file that is not there."""
    return GraphErrors.one("E_FILE", f"there is no file {path}", hint=_meant(Path(path)))


def beside(path: Path, kinds: tuple[str, ...]) -> str | None:
    """The remedy for a file that is not there: the one in its folder that was meant, if there is one.

    Args:
        path: The file.
        kinds: Endings that files of the kind have.
    """
    with suppress(OSError, ValueError):
        known = [name for name in os.listdir(path.parent) if name.lower().endswith(kinds) and not hidden(name)]
        stems = {Path(name).stem: name for name in known}
        meant = stems.get(path.name) or suggest(path.name, known) or stems.get(suggest(path.stem, stems) or "")
        if meant:
            return f"did you mean '{path.with_name(meant)}'?"
    return None


def _meant(path: Path) -> str | None:
    asked = path.as_posix().removesuffix(".json").removeprefix("graphs/")
    if (old := moved(asked)) is not None:
        return notice(old)
    if meant := beside(path, KINDS):
        return meant
    known = names()
    fitting = [name for name in known if asked in (name, name.rpartition("/")[2])]
    if len(fitting) > 1:
        return f"did you mean one of the templates {' and '.join(fitting)}?"
    template = fitting[0] if fitting else suggest(asked, known)
    if template is None:
        return None
    file = known[template]
    with suppress(ValueError):
        return f"did you mean the template '{file.relative_to(Path.cwd())}'?"
    return f"did you mean the template '{template}'? hcpgraph new {template} copies it here; it lies at {file}"
