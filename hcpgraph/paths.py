"""Named roots: every path in a graph is `root:relative`, resolved and contained (DESIGN §8)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import GraphError, GraphErrors, did_you_mean, hidden, suggest

URI = re.compile(r"([a-z]+):(.*)", re.DOTALL)
FOLDERS = ("data", "models", "out", "cache", "runs")
BUILTIN = Path(__file__).resolve().parent / "builtin"
SHIPPED = ("builtin",)
"""Roots that nobody can allow to write to."""
LINKED = ("data", "models")
"""Roots whose links lead where the user made them lead, for reading: nothing but the user puts links there."""
CONTENTS = {
    "data": "the folder of your pictures, or a link to it,",
    "models": "a diffusers folder, .safetensors or .gguf file, as huggingface.co and civitai.com have them, or a link,",
}
"""What users put into a root."""
LONGEST_NAME, LONGEST_WRITTEN = 255, 240
"""Bytes that a name may have on every system; what is written may get a number or a step behind its name."""


@dataclass(frozen=True)
class Roots:
    """Where the named roots lie on this machine.

    Args:
        workspace: Folder that holds `data`, `models`, `out`, `cache` and `runs` unless they are overridden.
        overrides: Root name -> folder, from `--root name=DIR` and `--out DIR`.
        writable: Roots below which the nodes of a run may write besides `out`, see `allowing`.
    """

    workspace: Path
    overrides: Mapping[str, Path] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()

    def allowing(self, names: Iterable[str]) -> Roots:
        """These roots, of which nodes may write below some more: what the person said who starts the run.

        Raises:
            GraphErrors: E_CALL, there is no such root or nothing ever writes there.
        """
        names = frozenset(names)
        for name in sorted(names):
            if name not in self.names() or name in SHIPPED:
                known = [other for other in self.names() if other not in SHIPPED]
                hint = did_you_mean(name, known, "roots that can be written to")
                raise GraphErrors.one("E_CALL", f"runs cannot be allowed to write below '{name}'", hint=hint)
        return replace(self, writable=self.writable | names)

    def root(self, name: str) -> Path:
        if name in self.overrides:
            return Path(self.overrides[name]).resolve()
        if name == "builtin":
            return BUILTIN
        return (self.workspace / name).resolve()

    def names(self) -> list[str]:
        return [*FOLDERS, "builtin", *(name for name in self.overrides if name not in FOLDERS)]

    def resolve(self, uri: str, *, must_exist: bool = True, write: bool = False) -> Path:
        """The file or folder that `root:relative` names.

        Args:
            uri: The name.
            must_exist: Whether it is an error if nothing is there.
            write: Whether it is to be written: then no link may lead out of its root.

        Raises:
            GraphError: E_PATH (not of that form, unknown root, leaves its root, a null byte, too long), E_NOT_FOUND.
        """
        match = URI.fullmatch(uri)
        if match is None:
            raise GraphError(
                "E_PATH",
                f"'{uri}' is not a path of the form root:relative",
                hint="put the file below the workspace's data folder and write data:NAME, or give --root data=FOLDER",
            )
        name, relative = match.groups()
        if name not in self.names():
            hint = did_you_mean(name, self.names(), "roots")
            raise GraphError("E_PATH", f"unknown root '{name}' in '{uri}'", hint=hint)
        relative = relative.strip()
        pure = relative.replace("\\", "/")
        if hidden(uri):
            message = f"'{uri}' has a character that is not seen or turns the direction of writing"
            raise GraphError("E_PATH", message, hint="write, or rename, it without")
        if pure.startswith("/") or re.match(r"[A-Za-z]:", pure) or ".." in pure.split("/"):
            raise GraphError("E_PATH", f"'{uri}' leaves its root", hint="write a relative path without '..'")
        longest = max((len(part.encode(errors="replace")) for part in pure.split("/")), default=0)
        if longest > (most := LONGEST_WRITTEN if write else LONGEST_NAME):
            message = f"'{pure[:40]}…' has a name of {longest} bytes"
            raise GraphError("E_PATH", message, hint=f"names have at most {most} bytes: shorten it")
        root = self.root(name)
        try:
            path = Path(os.path.realpath(root / pure))
        except (OSError, ValueError) as error:
            raise GraphError("E_PATH", f"{uri!r} is no path on this system: {error}", hint="rename the file") from None
        if path != root and root not in path.parents and (write or name not in LINKED):
            hint = f"give --root {name}=FOLDER for the real folder"
            raise GraphError("E_PATH", f"'{uri}' leaves its root through a link", hint=hint)
        if must_exist and not os.path.exists(path):
            raise GraphError("E_NOT_FOUND", f"'{uri}' does not exist", hint=self._instead(name, pure))
        return path

    def _instead(self, name: str, relative: str) -> str:
        """What to do about a file that is not there: the one that was meant, or what to put where."""
        root = self.root(name)
        folder, _, last = relative.rstrip("/").rpartition("/")
        with suppress(OSError, ValueError):
            beside = [entry for entry in os.listdir(root / folder) if not hidden(entry) and not entry.startswith(".")]
            stems = {entry.partition(".")[0]: entry for entry in beside}
            if meant := suggest(last, beside) or stems.get(suggest(last, stems) or ""):
                return f"did you mean '{name}:{folder}{'/' if folder else ''}{meant}'? '{name}:' is {root}"
        what = CONTENTS.get(name)
        return f"put {what} into {root}" if what else f"'{name}:' is {root}"

    def uri(self, path: Path) -> str:
        """The `root:relative` name of a path below a root; outside of every root only its name is kept."""
        path = Path(os.path.realpath(path))
        for name in self.names():
            root = self.root(name)
            if path == root or root in path.parents:
                return f"{name}:{path.relative_to(root).as_posix()}"
        return path.name

    def place(self, uri: str, *, overwrite: bool = False, weights: bool = False) -> Path:
        """Where a node may write `uri`; nothing is made. `out:` is always open, `models:` for new weights.

        Args:
            uri: What is to be written.
            overwrite: Whether something of that name would be replaced.
            weights: Whether it is a model or another weight file.

        Raises:
            GraphError: E_PATH, E_WRITE: the run may not write there.
        """
        path = self.resolve(uri, must_exist=False, write=True)
        name = uri.partition(":")[0]
        if path == self.root(name):
            raise GraphError("E_PATH", f"'{uri}' is the root itself", hint=f"name a file in it: {name}:NAME")
        if name == "out" or name in self.writable:
            return path
        allow = (
            f"or allow it for this run: --allow-write {name}, in the editor the switch in the question before the run"
        )
        if name in SHIPPED:
            raise GraphError("E_WRITE", f"'{uri}': nothing is written to '{name}:'", hint="write to out:")
        if name == "models" and weights:
            if overwrite and path.exists():
                message = f"'{uri}' exists, and only new weights are written to 'models:'"
                raise GraphError("E_WRITE", message, hint=f"turn overwrite off, {allow}")
            return path
        raise GraphError("E_WRITE", f"'{uri}': this run may not write to '{name}:'", hint=f"write to out:, {allow}")

    def free(self, uri: str, *, overwrite: bool = False, weights: bool = False) -> Path:
        """Where to write `uri`: its parent exists, and a taken name gets a number unless `overwrite`.

        `out:cat.png` becomes `cat-2.png`, `cat-3.png` … The suffix may be compound only in its last part.

        Raises:
            GraphError: as `place`.
        """
        path = self.place(uri, overwrite=overwrite, weights=weights)
        path.parent.mkdir(parents=True, exist_ok=True)
        if overwrite or not path.exists():
            return path
        number = 2
        while (candidate := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
            number += 1
        return candidate


def cache_folder() -> Path:
    """Where manifests and what is known of source files are kept between processes."""
    if given := os.environ.get("HCPGRAPH_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "hcpgraph"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hcpgraph"
