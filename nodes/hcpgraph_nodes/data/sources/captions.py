"""Captions of a folder of pictures: side files, one common file, the file names, or a loader of the user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed

from ...python.object import PythonObject
from . import caption_files as files
from .caption_files import ANY, COMMON, Columns
from .listing import Listing

Kind = Literal["txt", "lines", "json", "yaml", "jsonl", "csv", "parquet", "auto", "filename", "none"]
OnMissing = Literal["error", "empty", "filename", "skip"]
FILES: tuple[Kind, ...] = ("txt", "lines", "json", "yaml", "jsonl", "csv", "parquet")
SIDE: dict[str, tuple[str, ...]] = {"txt": (".txt",), "json": (".json",), "yaml": (".yaml", ".yml")}
BESIDE = (".txt", ".json", ".yaml", ".yml", ".jsonl", ".csv", ".tsv", ".parquet")
"""Endings of all files that may hold captions."""

_COUNTER = re.compile(r"([\s_-]+\(?\d+\)?|\(\d+\))$")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where captions come from.

    Attributes:
        kind: What is looked for in the folder.
        file: One file with all captions, `root:relative`, instead; empty for none.
        columns: Columns of a table.
        loader: A class of the user's own, instead of all of them.
    """

    kind: Kind = "txt"
    file: str = ""
    columns: Columns = ANY
    loader: PythonObject | None = None


def captions_of(ctx: Context, folder: Listing, names: Sequence[str], origin: Origin) -> dict[str, str | None]:
    """The caption of every picture, None where it has none. What belongs to no picture is logged as a warning.

    Args:
        ctx: The context of the node.
        folder: The folder, with the files beside its pictures.
        names: The pictures that captions are wanted for.
        origin: Where captions come from.

    Raises:
        GraphError: E_CAPTION, E_LIST (a file of captions cannot be used), E_PACKAGE, E_OBJECT (the user's loader).
    """
    if origin.loader is not None:
        return _loaded(folder, names, origin.loader)
    if origin.file:
        path = ctx.path(origin.file)
        return _common(ctx, folder, names, files.read_file(path, origin.columns), path.name)
    kind = _present(folder) if origin.kind == "auto" else origin.kind
    if kind == "none":
        return dict.fromkeys(names, "")
    if kind == "filename":
        return {name: from_filename(Path(name)) for name in names}
    texts: dict[str, str | None] = dict.fromkeys(names)
    if (file := _common_file(folder, kind)) is not None:
        texts |= _common(ctx, folder, names, files.read_file(folder.path(file), origin.columns), file)
    if kind in SIDE or kind == "lines":
        texts |= _beside(ctx, folder, names, kind)
    return texts


def settled(texts: Mapping[str, str | None], uri: str, on_missing: OnMissing, trigger: str = "") -> dict[str, str]:
    """Captions with the missing ones dealt with and the trigger in front.

    Raises:
        GraphError: E_DATA, captions are missing (all are named) or none is left.
    """
    require_captions([name for name, text in texts.items() if text is None], len(texts), uri, on_missing)
    kept = {name: filled(name, text, on_missing, trigger) for name, text in texts.items()}
    left = {name: text for name, text in kept.items() if text is not None}
    if not left:
        raise GraphError("E_DATA", f"no picture of '{uri}' is left", hint="all of them were skipped; see the settings")
    return left


def require_captions(missing: Sequence[str], total: int, uri: str, on_missing: OnMissing) -> None:
    """Raises GraphError E_DATA: captions are missing and that is an error; all are named."""
    if missing and on_missing == "error":
        raise GraphError(
            "E_DATA",
            f"{len(missing)} of {total} pictures in '{uri}' have no caption: {listed(missing)}",
            hint="write them, or set on_missing or captions",
        )


def filled(name: str, text: str | None, on_missing: OnMissing, trigger: str) -> str | None:
    """The caption of a picture behind the trigger; None for one that is left out because it has none."""
    if text is None and on_missing == "skip":
        return None
    found = from_filename(Path(name)) if text is None and on_missing == "filename" else text or ""
    lines = found.splitlines() or [""]
    return "\n".join(", ".join(part for part in (trigger, line) if part) for line in lines)


def from_filename(path: Path) -> str:
    """`black_cat-03.png` -> "black cat": separators become spaces, a trailing counter goes."""
    name = path.stem
    shorter = _COUNTER.sub("", name)
    return " ".join((shorter or name).replace("_", " ").replace("-", " ").split())


def _beside(ctx: Context, folder: Listing, names: Sequence[str], kind: str) -> dict[str, str | None]:
    """What the side files say: `cat.txt` beside `cat.png`."""
    found: dict[str, str | None] = {}
    ends = SIDE["txt" if kind == "lines" else kind]
    sides = {name for name in folder.others if name.endswith(ends) and name not in COMMON.get(kind, ())}
    for name in names:
        ctx.check()
        side = next((path for end in ends if (path := _without_ending(name) + end) in sides), None)
        if side is not None:
            found[name] = _side_text(folder.path(side), kind)
    owned = {_without_ending(name) for name in folder.pictures}
    _orphans(ctx, folder, "caption files", sorted(side for side in sides if _without_ending(side) not in owned))
    return found


def _side_text(path: Path, kind: str) -> str:
    if kind == "txt":
        return files.clean(files.read_text(path))
    if kind == "lines":
        return "\n".join(line for part in files.read_text(path).splitlines() if (line := files.clean(part)))
    return files.caption_in(files.read_json(path) if kind == "json" else files.read_yaml(path), path.name)


def _common(
    ctx: Context, folder: Listing, names: Sequence[str], texts: Mapping[str, str], file: str
) -> dict[str, str | None]:
    found = {name: None if (entry := files.lookup(texts, name)) is None else entry[1] for name in names}
    used = {entry[0] for name in folder.pictures if (entry := files.lookup(texts, name)) is not None}
    _orphans(ctx, folder, f"entries of {file}", [name for name in texts if name not in used])
    return found


def _common_file(folder: Listing, kind: str) -> str | None:
    there = [name for name in COMMON.get(kind, ()) if name in folder.others]
    if len(there) > 1:
        raise GraphError(
            "E_CAPTION", f"'{folder.uri}' has {' and '.join(there)}", hint="name the right one in captions_file"
        )
    return there[0] if there else None


def _present(folder: Listing) -> Kind:
    """The one kind of captions that the folder has; `txt` where it has none, so that they count as missing."""
    owned = {_without_ending(name) for name in folder.pictures}
    counts: Counter[str] = Counter()
    for kind, ends in SIDE.items():
        sides = (name for name in folder.others if name.endswith(ends) and name not in COMMON.get(kind, ()))
        counts[kind] = sum(_without_ending(name) in owned for name in sides)
    for kind in COMMON:
        counts[kind] += _common_file(folder, kind) is not None
    kinds: list[Kind] = [kind for kind in FILES if counts[kind]]
    if len(kinds) > 1:
        described = ", ".join(f"{kind} ({counts[kind]} files)" for kind in kinds)
        raise GraphError(
            "E_CAPTION",
            f"'{folder.uri}' has captions of {len(kinds)} kinds: {described}",
            hint="set captions to the right one",
        )
    return kinds[0] if kinds else "txt"


def _loaded(folder: Listing, names: Sequence[str], loader: PythonObject) -> dict[str, str | None]:
    """What the user's object says: a mapping of its `load()`, or what it answers to the path of each picture."""
    made = loader.make()
    load: Callable[[], Any] | None = getattr(made, "load", None)
    who = loader.cls.__name__
    if load is None and not callable(made):
        raise GraphError(
            "E_OBJECT",
            f"{who} has no load() and cannot be called",
            port="captions_from",
            hint="see the help of data.folder",
        )
    answers: dict[str, Any]
    try:
        if load is not None:
            texts = load()
            if not isinstance(texts, Mapping):
                raise TypeError(f"load() gave {type(texts).__name__}, not a mapping")
            given = {str(name): text for name, text in texts.items()}
            answers = {name: given.get(name, given.get(_without_ending(name))) for name in names}
        else:
            answers = {name: made(folder.path(name)) for name in names}
        wrong = [name for name, text in answers.items() if not (text is None or isinstance(text, str))]
        if wrong:
            raise TypeError(f"no text for {listed(wrong)}")
    except Exception as error:
        raise GraphError(
            "E_OBJECT", f"{who}: {type(error).__name__}: {error}", port="captions_from", hint="correct the class"
        ) from error
    return {name: None if text is None else files.clean(text) for name, text in answers.items()}


def _orphans(ctx: Context, folder: Listing, what: str, names: Sequence[str]) -> None:
    if names:
        ctx.log(f"{folder.uri}: {len(names)} {what} belong to no picture: {listed(names)}", level="warning")


def _without_ending(name: str) -> str:
    """A path without its last ending."""
    return str(PurePosixPath(name).with_suffix(""))
