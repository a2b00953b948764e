"""`data.texts`: a data set of texts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, PathPicker

from .sources.caption_values import clean, read_text
from .sources.dataset import Dataset, Sample
from .sources.tables import CAPTION_COLUMNS, TABLES, Row, as_text, bad_lines, column, read_rows, unused_columns


@node("data.texts", effects="read")
def texts(
    ctx: Context,
    *,
    texts: list[str] = [],  # noqa: B006 - a default of the schema, never changed
    path: Annotated[str, PathPicker(kind_of="file", suffixes=(".txt", *TABLES), primary=True)] = "",
    caption_column: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 1,
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """A data set of texts without pictures, for what trains on words alone.

    They are a list, the lines of a UTF-8 text file, or the rows of a jsonl, csv, tsv or parquet file, whose further
    columns become words for prompt templates. Blank lines are left out. data.caption_batch reads it.

    Args:
        texts: The texts.
        path: A file with the texts instead, such as `data:prompts.txt`.
        caption_column: Column of a table that holds the text; empty takes `caption`, `text` or `prompt`.
        repeats: How many times every text counts in an epoch.
        name: Name of the data set in sample keys; empty takes the name of the file, or `texts`.

    Raises:
        GraphError: E_DATA (no texts, both a list and a file), E_LIST (lines of the file), E_CAPTION (not UTF-8),
            E_PACKAGE (parquet needs an extra).
    """
    if bool(texts) == bool(path):
        message = "both texts and path are set" if path else "there are no texts"
        raise GraphError("E_DATA", message, port="texts", hint="write texts, or name a file in path")
    file = ctx.path(path) if path else None
    if file is not None and not file.is_file():
        raise GraphError("E_DATA", f"'{path}' is a folder", port="path", hint="name a file")
    blank, unused = 0, list[str]()
    if file is None:
        blank = sum(not text.strip() for text in texts)
        samples = [Sample(None, clean(text), str(i)) for i, text in enumerate(texts) if text.strip()]
    elif file.suffix.lower() == ".txt":
        lines = read_text(file).splitlines()
        blank = sum(not line.strip() for line in lines)
        samples = [Sample(None, clean(line), f"{file.name}:{i}") for i, line in enumerate(lines, 1) if line.strip()]
    else:
        samples, unused = _table(file, caption_column)
    if not samples:
        raise GraphError("E_DATA", f"'{path or 'texts'}' holds no text", hint="write one a line")
    more = [f"{blank} blank ones left out"] * bool(blank) + [f"columns not used: {listed(unused)}"] * bool(unused)
    ctx.log("; ".join([f"{len(samples)} texts", *more]))
    return Dataset(name or (file.stem if file is not None else "texts"), tuple(samples) * repeats)


def _table(file: Path, wanted: str) -> tuple[list[Sample], list[str]]:
    rows = read_rows(file)
    if not rows:
        return [], []
    caption = column(rows, file, wanted, CAPTION_COLUMNS, "the text", needed=True)
    if bad := [f"{row.where} has no text" for row in rows if as_text(row.values.get(caption)) is None]:
        raise bad_lines(file, bad)
    made = [Sample(None, clean(_cell(row, caption)), row.where, words=row_words(row, (caption,))) for row in rows]
    return made, unused_columns(file, rows, (caption,))


def _cell(row: Row, name: str) -> str:
    return as_text(row.values[name]) or ""


def row_words(row: Row, taken: tuple[str, ...]) -> dict[str, str] | None:
    """The columns of a row that mean nothing else, as words for prompt templates."""
    found = {name: text for name, value in row.values.items() if name not in taken and (text := as_text(value))}
    return found or None
