"""Captions of a folder of pictures: side files, one common file, the file names, or a loader of the user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed

from ...python.object import PythonObject
from .caption_files import ANY, COMMON, CaptionFile, Columns, read_file
from .caption_values import caption_in, clean, read_json, read_text, read_yaml
from .listing import Listing
from .names import composed, entry_name, matches, without_ending

Kind = Literal["txt", "lines", "json", "yaml", "jsonl", "csv", "parquet", "auto", "filename", "none"]
OnMissing = Literal["error", "empty", "filename", "skip"]
Extension = Annotated[str, Field(pattern=r"^\.[^./\\\s]+$", max_length=20)]
EXTENSIONS: list[str] = [".txt", ".caption"]
"""Endings of text files with captions: OneTrainer's and most other programs', and kohya's."""
FILES: tuple[Kind, ...] = ("txt", "lines", "json", "yaml", "jsonl", "csv", "parquet")
SIDE: dict[str, tuple[str, ...]] = {"json": (".json",), "yaml": (".yaml", ".yml")}
MAY_HOLD = frozenset({".txt", ".caption", ".cap", ".tags", ".tag", ".json", ".yaml", ".yml"})
"""Endings of files that hold captions in some program."""

_COUNTER = re.compile(r"([\s_-]+\(?\d+\)?|\(\d+\))$")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where captions come from.

    Attributes:
        kind: What is looked for in the folder.
        file: One file with all captions, `root:relative`, instead; empty for none.
        columns: Columns of a table.
        loader: A class of the user's own, instead of all of them.
        extensions: Endings of text files with captions.
    """

    kind: Kind = "txt"
    file: str = ""
    columns: Columns = ANY
    loader: PythonObject | None = None
    extensions: Sequence[str] = tuple(EXTENSIONS)

    @property
    def side(self) -> tuple[str, ...]:
        """Endings of the files beside pictures that are read."""
        if self.loader is not None or self.file:
            return ()
        return tuple(map(str.lower, self.extensions)) if self.kind in ("txt", "lines") else SIDE.get(self.kind, ())


@dataclass(slots=True)
class Captions:
    """What was found.

    Attributes:
        texts: The caption of every picture, None where it has none.
        used: Files of the folder that were read.
        told: What was read, for a line of the log.
    """

    texts: dict[str, str | None]
    used: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def line(self, found: Listing) -> str:
        """What became of the folder: what was read, and what of it is not used."""
        count = sum(text is not None for text in self.texts.values())
        several = sum("\n" in (text or "") for text in self.texts.values())
        more = f", {several} with several: text.pick_line draws one" if several else ""
        origin = f" ({', '.join(self.told)})" if self.told else ""
        return f"{count} with a caption{origin}{more}{found.unused(self.used)}"


def captions_of(ctx: Context, folder: Listing, names: Sequence[str], origin: Origin) -> Captions:
    """The captions of pictures. What belongs to no picture, or lies beside one and is not read, is a warning.

    Args:
        ctx: The context of the node.
        folder: The folder, with the files beside its pictures.
        names: The pictures that captions are wanted for.
        origin: Where captions come from.

    Raises:
        GraphError: E_CAPTION, E_LIST (files of captions cannot be used: all of them are named), E_PACKAGE, E_OBJECT
            (the user's loader).
    """
    if origin.loader is not None:
        return Captions(_loaded(folder, names, origin.loader), told=[f"from {origin.loader.cls.__name__}"])
    if origin.file:
        path = ctx.path(origin.file)
        found = _common(ctx, folder, names, read_file(path, origin.columns), path.name)
        inside = path.relative_to(folder.root).as_posix() if path.is_relative_to(folder.root) else ""
        found.used |= {inside} & folder.others
        return found
    if origin.kind == "auto":
        origin = replace(origin, kind=_present(folder, origin))
    kind = origin.kind
    if kind == "none":
        return Captions(dict.fromkeys(names, ""), told=["none wanted"])
    if kind == "filename":
        return Captions({name: from_filename(Path(name)) for name in names}, told=["file names"])
    found = Captions(dict.fromkeys(names))
    if (file := _common_file(folder, kind)) is not None:
        found = _common(ctx, folder, names, read_file(folder.path(file), origin.columns), file)
        found.used.add(file)
    if origin.side:
        _beside(ctx, folder, names, origin, found)
    _say_unread(ctx, folder, found, kind)
    return found


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


def _beside(ctx: Context, folder: Listing, names: Sequence[str], origin: Origin, found: Captions) -> None:
    """What the side files say: `cat.txt` beside `cat.png`, whatever the case of its ending."""
    sides: dict[str, list[str]] = {}
    for name in sorted(folder.others - set(COMMON.get(origin.kind, ()))):
        if name.lower().endswith(origin.side):
            sides.setdefault(without_ending(name), []).append(name)
    owned: dict[str, list[str]] = {}
    for name in folder.pictures:
        owned.setdefault(without_ending(name), []).append(name)
    bad = [
        f"{' and '.join(files)} for {owned[key][0]}: name the ending of the right one in caption_extensions"
        for key, files in sides.items()
        if len(files) > 1 and key in owned
    ]
    wanted, texts = set(names), dict[str, str | None]()
    for key, own in owned.items():
        ctx.check()
        if len(files := sides.get(key, [])) != 1 or not wanted & {*own}:
            continue
        try:
            texts[key] = _side_text(folder.path(files[0]), origin.kind)
        except GraphError as error:
            bad.append(error.problem.message)
    if bad:
        message = bad[0] if len(bad) == 1 else f"{len(bad)} caption files of '{folder.uri}': {listed(bad, '; ')}"
        raise GraphError("E_CAPTION", message, hint="save texts as UTF-8, correct or remove these files")
    read = [file for key, files in sides.items() if key in owned for file in files]
    found.used |= set(read)
    if read:
        endings = Counter(PurePosixPath(name).suffix for name in read)
        found.told += [f"{count} {ending} files" for ending, count in sorted(endings.items())]
    for name in names:
        if (key := without_ending(name)) in texts:
            found.texts[name] = texts[key]
    shared = [f"{sides[key][0]} of {' and '.join(own)}" for key, own in owned.items() if len(own) > 1 and key in sides]
    if shared:
        message = (
            f"{folder.uri}: {len(shared)} caption files are shared by pictures that differ in their ending alone: "
        )
        ctx.log(message + listed(shared), level="warning")
    left = [file for key, files in sides.items() if key not in owned for file in files]
    _orphans(ctx, folder, "caption files", left)
    found.used |= set(left)


def _side_text(path: Path, kind: str) -> str | None:
    if kind == "txt":
        return clean(read_text(path))
    if kind == "lines":
        return "\n".join(line for part in read_text(path).splitlines() if (line := clean(part)))
    return caption_in(read_json(path) if kind == "json" else read_yaml(path), path.name)


def _common(ctx: Context, folder: Listing, names: Sequence[str], read: CaptionFile, file: str) -> Captions:
    matched = matches(read.texts, folder.pictures)
    if matched.twice:
        raise GraphError(
            "E_CAPTION", f"'{file}' names pictures twice: {listed(matched.twice, '; ')}", hint="remove one of each"
        )
    _orphans(ctx, folder, f"entries of {file}", matched.orphans)
    texts = {name: read.texts[matched.of[name]] if name in matched.of else None for name in names}
    empty = sum(text is None for text in read.texts.values())
    told = [f"{len(read.texts)} entries of {file}"]
    told += [f"{matched.moved} of them absolute paths"] if matched.moved else []
    told += [f"{empty} of them null"] if empty else []
    told += [f"its columns {listed(read.unused)} are not used"] if read.unused else []
    return Captions(texts, told=told)


def _common_file(folder: Listing, kind: str) -> str | None:
    there = [name for name in COMMON.get(kind, ()) if name in folder.others]
    if len(there) > 1:
        raise GraphError(
            "E_CAPTION", f"'{folder.uri}' has {' and '.join(there)}", hint="name the right one in captions_file"
        )
    return there[0] if there else None


def _present(folder: Listing, origin: Origin) -> Kind:
    """The one kind of captions that the folder has; `txt` where it has none, so that they count as missing."""
    owned = {without_ending(name) for name in folder.pictures}
    counts: Counter[str] = Counter()
    for kind, ends in {"txt": tuple(map(str.lower, origin.extensions)), **SIDE}.items():
        sides = (n for n in folder.others if n.lower().endswith(ends) and n not in COMMON.get(kind, ()))
        counts[kind] = sum(without_ending(name) in owned for name in sides)
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


def _say_unread(ctx: Context, folder: Listing, found: Captions, kind: str) -> None:
    """Pictures without caption beside which files lie that may hold one, or a common file of another kind."""
    lacking = {without_ending(name) for name, text in found.texts.items() if text is None}
    rest = folder.others - found.used
    common = {name for names in COMMON.values() for name in names}
    beside = sorted(
        name
        for name in rest
        if (PurePosixPath(name).suffix.lower() in MAY_HOLD and without_ending(name) in lacking) or name in common
    )
    if lacking and beside:
        what = f"{len(beside)} files that may hold captions are not read, for captions is {kind}: {listed(beside)}"
        ctx.log(f"{folder.uri}: {what}; see captions and caption_extensions", level="warning")


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
            given = {entry_name(str(name)): text for name, text in texts.items()}
            answers = {name: given.get(composed(name), given.get(without_ending(name))) for name in names}
        else:
            answers = {name: made(folder.path(name)) for name in names}
        wrong = [name for name, text in answers.items() if not (text is None or isinstance(text, str))]
        if wrong:
            raise TypeError(f"no text for {listed(wrong)}")
    except Exception as error:
        raise GraphError(
            "E_OBJECT", f"{who}: {type(error).__name__}: {error}", port="captions_from", hint="correct the class"
        ) from error
    return {name: None if text is None else clean(text) for name, text in answers.items()}


def _orphans(ctx: Context, folder: Listing, what: str, names: Sequence[str]) -> None:
    if names:
        ctx.log(f"{folder.uri}: {len(names)} {what} belong to no picture: {listed(names)}", level="warning")
