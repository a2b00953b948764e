"""What a graph would touch if it were run: files, Python classes, and what only the run will tell.

`validate`, `inspect` and the editor's dialog before a stranger's graph runs all ask here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import GraphError, Problem
from ..paths import Roots
from . import sweeps
from .flat import Flat, FlatNode, Source

OBJECT = ("python.object", "path")
"""The node type that names a Python class, and its setting that does (DESIGN §8)."""
HUB = "hub:"


@dataclass(frozen=True)
class Touch:
    """One setting that names a file, a folder or a class."""

    node: str
    setting: str
    value: str
    problem: Problem | None = None


@dataclass(frozen=True)
class Unknown:
    """One such setting whose value comes over a wire and is known only in the run; `kind` is write, read or object."""

    node: str
    setting: str
    kind: str
    source: Source


@dataclass
class Touches:
    """All of a graph's, in the order of its nodes; a write that is not allowed carries its problem."""

    reads: list[Touch] = field(default_factory=list)
    writes: list[Touch] = field(default_factory=list)
    objects: list[Touch] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)


def touches(flat: Flat, settings: Mapping[str, Mapping[str, Any]], roots: Roots) -> Touches:
    """Look at every setting that names something; `settings` have defaults and folded wires."""
    found = Touches()
    for node in flat.nodes.values():
        for name, schema in node.spec.settings.items() if node.spec else ():
            kind = _kind(node, name, schema.get("x-widget", {}))
            if kind is None:
                continue
            values = sweeps.values(node, settings[node.id], name)
            if name in node.wired and not values:
                found.unknown.append(Unknown(node.id, name, kind, node.wired[name]))
            for value in dict.fromkeys(one for one in values if isinstance(one, str) and one):
                problem = refused(schema["x-widget"], value, settings[node.id], roots) if kind == "write" else None
                listed = {"write": found.writes, "read": found.reads, "object": found.objects}[kind]
                listed.append(Touch(node.id, name, value, problem))
    return found


def refused(
    widget: Mapping[str, Any], uri: str, settings: Mapping[str, Any], roots: Roots, *, must_exist: bool = False
) -> Problem | None:
    """Why a path of a setting cannot be read or written, or None."""
    try:
        if widget.get("write"):
            overwrite = settings.get("overwrite") is True
            path = roots.place(uri, overwrite=overwrite, weights=widget["kind"] == "model")
            return _ending(widget, uri, path)
        if not uri.startswith(HUB):
            path = roots.resolve(uri, must_exist=must_exist)
            if must_exist and widget.get("kind_of") == "folder" and _is_empty(path):
                return Problem("E_NOT_FOUND", f"'{uri}' is an empty folder", hint=f"put files into {path}")
    except GraphError as error:
        return error.problem
    return None


def _ending(widget: Mapping[str, Any], uri: str, path: Path) -> Problem | None:
    """A file is written in the format that its name ends in, and in no other than those of the setting."""
    endings = widget.get("suffixes") or ()
    if widget.get("kind_of") != "file" or not endings or path.name.lower().endswith(tuple(endings)):
        return None
    hint = f"write {uri.rpartition('/')[2].partition('.')[0] or uri}{endings[0]}"
    return Problem("E_PATH", f"'{uri}' does not end in {' or '.join(endings)}", hint=hint)


def _is_empty(path: Path) -> bool:
    try:
        return path.is_dir() and all(entry.startswith(".") for entry in os.listdir(path))
    except OSError:
        return False


def _kind(node: FlatNode, name: str, widget: Mapping[str, Any]) -> str | None:
    if (node.type, name) == OBJECT:
        return "object"
    if widget.get("kind") not in ("path", "model"):
        return None
    return "write" if widget.get("write") else "read"
