"""The graphs that ship with hcpgraph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import GraphErrors, did_you_mean
from .reading import load
from .shipped import names


@dataclass(frozen=True)
class Template:
    """A ready graph.

    Args:
        name: Its folder and file name, such as `quickstart/train_lora`.
        path: Its file.
        title, description: From the file.
    """

    name: str
    path: Path
    title: str
    description: str


def templates(place: Path | None = None) -> list[Template]:
    """All templates.

    Raises:
        GraphErrors: one of them is broken.
    """
    return [_read(name, path) for name, path in names(place).items()]


def find(name: str, place: Path | None = None) -> Template:
    """A template by its name, or by the last part of it where only one has it.

    Raises:
        GraphErrors: E_TEMPLATE.
    """
    known = names(place)
    fitting = [full for full in known if name in (full, full.rpartition("/")[2])]
    chosen = name if name in known else fitting[0] if len(fitting) == 1 else None
    if chosen is None:
        what = f"'{name}' may be {' or '.join(fitting)}" if fitting else f"there is no template '{name}'"
        raise GraphErrors.one("E_TEMPLATE", what, hint=did_you_mean(name, known, "templates"))
    return _read(chosen, known[chosen])


def _read(name: str, path: Path) -> Template:
    meta = load(path).meta
    return Template(name, path, meta.title or name, meta.description or "")
