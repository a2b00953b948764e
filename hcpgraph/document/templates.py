"""The graphs that ship with hcpgraph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import GraphErrors, did_you_mean
from .reading import load
from .shipped import MOVED, moved, names, notice


@dataclass(frozen=True)
class Template:
    """A ready graph.

    Args:
        name: Its folder and file name, such as `quickstart/train_lora`.
        path: Its file.
        title, description: From the file.
        notice: What is to be said, where it was asked for by the name of one that is gone.
    """

    name: str
    path: Path
    title: str
    description: str
    notice: str = ""


def templates(place: Path | None = None) -> list[Template]:
    """All templates.

    Raises:
        GraphErrors: one of them is broken.
    """
    return [_read(name, path) for name, path in names(place).items()]


def find(name: str, place: Path | None = None) -> Template:
    """A template by its name, or by the last part of it where only one has it; names of those that are gone still work.

    Raises:
        GraphErrors: E_TEMPLATE.
    """
    known = names(place)
    if (old := moved(name)) is not None and name not in known and MOVED[old] in known:
        return replace(_read(MOVED[old], known[MOVED[old]]), notice=notice(old))
    fitting = [full for full in known if name in (full, full.rpartition("/")[2])]
    chosen = name if name in known else fitting[0] if len(fitting) == 1 else None
    if chosen is None:
        what = f"'{name}' may be {' or '.join(fitting)}" if fitting else f"there is no template '{name}'"
        raise GraphErrors.one("E_TEMPLATE", what, hint=did_you_mean(name, known, "templates"))
    return _read(chosen, known[chosen])


def _read(name: str, path: Path) -> Template:
    meta = load(path).meta
    return Template(name, path, meta.title or name, meta.description or "")
