"""`text.wildcards`: choices inside captions."""

from __future__ import annotations

from random import Random
from typing import Annotated

from hcpgraph import Context, node
from hcpgraph.errors import GraphError, did_you_mean
from hcpgraph.widgets import PathPicker

from ..types import Captions
from .choices import Choice, Name, Parts, parse
from .draws import change, one_of
from .line_file import read_lines

DRAWS = 10_000
"""More choices than that for one caption come from files that multiply each other."""
DEPTH = 64
"""So many choices and names may stand inside each other, files included."""


@node("text.wildcards", effects=("random", "read"))
def wildcards(
    ctx: Context,
    captions: Captions,
    *,
    folder: Annotated[str | None, PathPicker(kind_of="folder", primary=True)] = None,
) -> Captions:
    r"""Draw the choices that captions contain: `{red|blue} hat` becomes "red hat" or "blue hat".

    `{2::red|blue}` takes red twice as often as blue, `{|blue}` takes nothing half of the time, and choices stand inside
    choices. `__colour__` is a line of `colour.txt` in the folder, `__clothes/hat__` one of `clothes/hat.txt`; empty
    lines and lines that begin with `#` are left out, and lines may contain choices and names. A backslash makes a
    special character plain: `\{`, `\|`, `\}`, `\__` and `\\`. Braces without `|` and any other backslash stay as they
    are, so slots of templates and `\(` survive.

    What is taken depends on the sample key; captions without keys are told apart by their position. The grammar is that
    of Dynamic Prompts (https://github.com/adieyal/dynamicprompts), without its special syntax.

    Args:
        captions: B captions.
        folder: Where the files of `__name__` lie, such as `data:wildcards`.

    Raises:
        GraphError: E_WILDCARD (a choice without end, an unknown name, names that contain each other), E_TEXT_FILE,
            E_NOT_FOUND.
    """
    files = _Files(ctx, folder)
    return change(ctx, captions, lambda text, draw: _Draw(files, draw).resolved(parse(text), (), 0))


class _Files:
    """The lines of the folder's files, by name."""

    def __init__(self, ctx: Context, folder: str | None) -> None:
        self.ctx = ctx
        self.folder = folder.rstrip("/") if folder is not None else None
        self._read: dict[str, tuple[str, ...]] = {}

    def lines(self, name: str) -> tuple[str, ...]:
        if name not in self._read:
            self._read[name] = self._lines(name)
        return self._read[name]

    def _lines(self, name: str) -> tuple[str, ...]:
        if self.folder is None:
            hint = rf"set folder to where {name}.txt lies, or write \__{name}__ for plain text"
            raise GraphError("E_WILDCARD", f"'__{name}__' asks for a file and no folder is set", hint=hint)
        root = self.ctx.path(self.folder)
        uri = f"{self.folder}{'' if self.folder.endswith(':') else '/'}{name}.txt"
        path = self.ctx.path(uri, must_exist=False)
        if not path.is_file():
            known = [file.relative_to(root).with_suffix("").as_posix() for file in root.rglob("*.txt")]
            hint = did_you_mean(name, known, "files")
            raise GraphError("E_WILDCARD", f"'__{name}__': '{uri}' is no file", hint=hint)
        return read_lines(path, uri)


class _Draw:
    """The draws of one caption."""

    def __init__(self, files: _Files, draw: Random) -> None:
        self.files = files
        self.draw = draw
        self.left = DRAWS

    def resolved(self, parts: Parts, inside: tuple[str, ...], depth: int) -> str:
        """The text of some parts.

        Args:
            parts: The parts.
            inside: Names of the files that they come from, outermost first.
            depth: How many choices and names they stand in.
        """
        return "".join(part if isinstance(part, str) else self._drawn(part, inside, depth + 1) for part in parts)

    def _drawn(self, part: Choice | Name, inside: tuple[str, ...], depth: int) -> str:
        self.left -= 1
        if self.left < 0 or depth > DEPTH:
            limit = f"draws more than {DRAWS} choices" if self.left < 0 else f"has more than {DEPTH} inside each other"
            raise GraphError("E_WILDCARD", f"a caption {limit}", hint="let the files name fewer others")
        if isinstance(part, Choice):
            return self.resolved(self._option(part), inside, depth)
        if part.name in inside:
            listed = " > ".join(f"__{name}__" for name in (*inside, part.name))
            raise GraphError("E_WILDCARD", f"wildcards contain each other: {listed}", hint="remove one of the names")
        line = one_of(self.files.lines(part.name), self.draw)
        return self.resolved(parse(line), (*inside, part.name), depth)

    def _option(self, choice: Choice) -> Parts:
        point = self.draw.random() * sum(choice.weights)
        for option, weight in zip(choice.options, choice.weights, strict=True):
            if weight and point < weight:
                return option
            point -= weight
        return next(o for o, w in zip(reversed(choice.options), reversed(choice.weights), strict=True) if w)
