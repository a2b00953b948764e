"""`data.list_file`: pictures and all that belongs to them, from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import RGB, HexColor, rgb
from ..image.read import Header
from .masks import Curve, MaskFile
from .sources.caption_values import clean
from .sources.captions import OnMissing, filled, require_captions
from .sources.dataset import Dataset, PictureFile, Sample
from .sources.headers import read_headers
from .sources.listing import Check, OnBad, below, folder_of
from .sources.matching import same_shape
from .sources.names import entry_name, is_absolute, on_disk
from .sources.tables import (
    CAPTION_COLUMNS,
    PICTURE_COLUMNS,
    TABLES,
    Row,
    as_text,
    bad_lines,
    column,
    read_rows,
    unused_columns,
)
from .texts import row_words

MOST_REPEATS = 10_000
Column = Annotated[str, Field(max_length=200), Hint(advanced=True)]


FILES = ("picture", "mask", "condition")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row: the picture as the list names it, the files, and what else it says."""

    row: Row
    line: str
    id: str
    files: Mapping[str, Path]
    repeats: int
    caption: str | None


@node("data.list_file", effects="read")
def list_file(
    ctx: Context,
    *,
    path: Annotated[str, PathPicker(kind_of="file", suffixes=TABLES, primary=True)],
    root: Annotated[str, PathPicker(kind_of="folder")],
    picture_column: Column = "",
    caption_column: Column = "",
    mask_column: Column = "",
    condition_column: Column = "",
    repeats_column: Column = "",
    mask_curve: Annotated[Curve, Hint(advanced=True)] = "hcp",
    on_missing: OnMissing = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    background: HexColor = "#ffffff",
    on_bad: OnBad = "error",
    check: Annotated[Check, Hint(advanced=True)] = "header",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """A list of pictures with their captions, masks, conditions and repeats: a jsonl, csv, tsv or parquet file.

    A row names a picture by its path below `root`, and optionally a mask and a condition. All further columns become
    words for prompt templates: a column `artist` fills the slot `{artist}`. Columns are found by their usual names, or
    by what the settings say.

    Args:
        path: The list, such as `data:cats/list.jsonl`.
        root: The folder that paths in the list are relative to, such as `data:cats`; no path leaves it.
        picture_column: Column of the picture; empty takes `file_name`, `file`, `image` or the like.
        caption_column: Column of the caption; empty takes `caption`, `text` or `prompt`.
        mask_column: Column of the mask file; empty takes `mask`.
        condition_column: Column of the condition; empty takes `condition` or `conditioning_image`.
        repeats_column: Column that says how many times a row counts in an epoch, a whole number from 0; empty takes
            `repeats`.
        mask_curve: Weight of a mask's brightness: `hcp` gives 0, 0.5, 1, 3, 5 at 0, 25, 50, 75, 100 %, `linear` 0 … 1.
        on_missing: What to do with a row without caption: stop, use no text, use the file name, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures that cannot be read: stop and name them all, or leave their rows out. Rows that
            say something impossible always stop it.
        check: `decode` reads every file once, so that a truncated one is found now; `header` trusts what its first
            bytes say.
        name: Name of the data set in sample keys; empty takes the name of the list.

    Raises:
        GraphError: E_LIST (lines that cannot be used, each with its number; columns), E_DATA (captions missing, nothing
            left), E_PICTURE, E_PACKAGE (parquet needs an extra).
    """
    file = ctx.path(path)
    folder_of(ctx, root)
    rows = read_rows(file) if file.is_file() else []
    if not rows:
        raise GraphError("E_DATA", f"'{path}' lists no pictures", hint="name a jsonl, csv, tsv or parquet file")
    columns = {
        "picture": column(rows, file, picture_column, PICTURE_COLUMNS, "the picture", needed=True),
        "mask": column(rows, file, mask_column, ("mask",), "the mask", needed=False),
        "condition": column(
            rows, file, condition_column, ("condition", "conditioning_image"), "the condition", needed=False
        ),
        "caption": column(rows, file, caption_column, CAPTION_COLUMNS, "the caption", needed=False),
        "repeats": column(rows, file, repeats_column, ("repeats",), "repeats", needed=False),
    }
    entries = _entries(ctx, file, root, rows, columns)
    kept, headers = _readable(ctx, path, entries, check == "decode", on_bad)
    _require_shapes(file, kept, headers)
    require_captions([f"{e.id} ({e.line})" for e in kept if e.caption is None], len(kept), path, on_missing)

    color, taken = rgb(background), tuple(filter(None, columns.values()))
    samples: list[Sample] = []
    for entry in kept:
        text = filled(entry.id, entry.caption, on_missing, trigger)
        if text is not None:
            samples += [_sample(entry, text, headers, color, mask_curve, taken)] * entry.repeats
    if not samples:
        raise GraphError("E_DATA", f"no row of '{path}' is left", hint="they were skipped, or count 0 times")
    unused = unused_columns(file, rows, taken)
    left = len(rows) - sum(bool(entry.repeats) for entry in kept)
    more = [f"{left} rows not used"] * bool(left) + [f"columns of other kinds not used: {listed(unused)}"] * bool(
        unused
    )
    ctx.log("; ".join([f"{len(samples)} samples from {len(rows)} rows of {path}", *more]))
    return Dataset(name or file.stem, tuple(samples))


def _entries(ctx: Context, file: Path, root: str, rows: Sequence[Row], columns: Mapping[str, str]) -> list[_Entry]:
    """What the rows say. Raises GraphError E_LIST: names every line that cannot be used."""
    entries: list[_Entry] = []
    bad: list[str] = []
    for row in rows:
        ctx.check()
        line, problems = f"line {row.where.rpartition(':')[2]}", []
        given = {part: row.values[name] for part, name in columns.items() if name in row.values}
        if "picture" not in given:
            problems.append("names no picture")
        files: dict[str, Path] = {}
        for part in FILES:
            if part in given:
                found = _file(ctx, root, given[part])
                if isinstance(found, Path):
                    files[part] = found
                else:
                    problems.append(f"{part} {found}")
        times = _repeats(given.get("repeats", 1))
        if times is None:
            problems.append(f"repeats '{given['repeats']}' is no whole number from 0 to {MOST_REPEATS}")
        caption = as_text(given.get("caption"))
        if caption is None and "caption" in given:
            problems.append("the caption is no text")
        if problems:
            bad.append(f"{line}: {', '.join(problems)}")
        else:
            id = entry_name(as_text(given["picture"]) or "")
            entries.append(_Entry(row, line, id, files, times or 0, None if caption is None else clean(caption)))
    if bad:
        raise bad_lines(file, bad)
    return entries


def _file(ctx: Context, root: str, value: Any) -> Path | str:
    """The file that a cell names, or what is wrong with it."""
    text = as_text(value)
    if text is None:
        return "is no path"
    relative = entry_name(text)
    if not relative or is_absolute(relative) or ":" in relative.partition("/")[0]:
        return f"'{text}' is no relative path"
    try:
        try:
            path = ctx.path(below(root, relative))
        except GraphError as error:
            other = on_disk(ctx.path(root), relative) if error.problem.code == "E_NOT_FOUND" else None
            if other is None:
                raise
            path = ctx.path(below(root, other))
    except GraphError as error:
        return f"'{text}' {'does not exist' if error.problem.code == 'E_NOT_FOUND' else 'leaves its folder'}"
    return path if path.is_file() else f"'{text}' is no file"


def _repeats(value: Any) -> int | None:
    text = (as_text(value) or "").strip()
    return int(text) if text.isdecimal() and len(text) < 8 and int(text) <= MOST_REPEATS else None


def _readable(
    ctx: Context, uri: str, entries: Sequence[_Entry], decode: bool, on_bad: OnBad
) -> tuple[list[_Entry], dict[Path, Header]]:
    """The entries whose files can all be read, and their headers."""
    answers = read_headers(ctx, (path for entry in entries for path in entry.files.values()), decode=decode)
    kept: list[_Entry] = []
    bad: list[str] = []
    for entry in entries:
        why = [f"{part}: {found}" for part, path in entry.files.items() if isinstance(found := answers[path], str)]
        if why:
            bad.append(f"{entry.id} ({entry.line}, {', '.join(why)})")
        else:
            kept.append(entry)
    if bad:
        message = f"{len(bad)} of {len(entries)} rows of '{uri}' name files that cannot be read: {listed(bad, '; ')}"
        if on_bad == "error":
            raise GraphError("E_PICTURE", message, hint="replace or remove them, or set on_bad to skip")
        ctx.log(f"left out, {message}", level="warning")
    return kept, {path: header for path, header in answers.items() if not isinstance(header, str)}


def _require_shapes(file: Path, entries: Sequence[_Entry], headers: Mapping[Path, Header]) -> None:
    """Raises GraphError E_LIST: masks or conditions of another shape than their picture."""
    bad = []
    for entry in entries:
        size = headers[entry.files["picture"]].size
        for part in ("mask", "condition"):
            other = headers[entry.files[part]].size if part in entry.files else size
            if not same_shape(size, other):
                bad.append(f"{entry.line}: {part} is {other[0]}x{other[1]}, {entry.id} is {size[0]}x{size[1]}")
    if bad:
        raise bad_lines(file, bad)


def _sample(
    entry: _Entry, text: str, headers: Mapping[Path, Header], color: RGB, curve: Curve, taken: tuple[str, ...]
) -> Sample:
    def picture(part: str, background: RGB) -> PictureFile | None:
        path = entry.files.get(part)
        return None if path is None else PictureFile(str(path), headers[path].size, background)

    mask = entry.files.get("mask")
    return Sample(
        picture("picture", color),
        text,
        entry.id,
        condition=picture("condition", (0, 0, 0)),
        mask=None if mask is None else MaskFile(str(mask), curve),
        words=row_words(entry.row, taken),
    )
