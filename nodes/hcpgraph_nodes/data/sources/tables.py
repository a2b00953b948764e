"""Tables on disk: jsonl, csv and parquet files as rows that know where they stand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from hcpgraph.errors import GraphError, did_you_mean, listed

from ...messages import first_line
from ...text_files import REMEDY, NotText, decoded

TABLES = (".jsonl", ".csv", ".tsv", ".parquet")
CAPTION_COLUMNS = ("caption", "text", "prompt", "captions")
TAG_COLUMNS = ("tags",)
PICTURE_COLUMNS = ("file_name", "filename", "file", "image", "picture", "path", "name", "id")
FIELD = 1 << 24
"""Characters of one csv field; the library's own limit of 131,072 is too small for long captions."""
NOTHING = frozenset({"nan", "NaN", "NAN"})
"""What other programs leave in a cell of a csv file that holds nothing."""

Rows = Iterator["Row | str"]


class Row(NamedTuple):
    """One row: where it stands, such as `list.csv:12`, and its values by column; empty ones are left out."""

    where: str
    values: Mapping[str, Any]


def read_rows(path: Path) -> list[Row]:
    """All rows of a jsonl, csv, tsv or parquet file; blank lines are left out.

    A csv or tsv file has the names of its columns in its first line. Of a parquet file, columns of texts, numbers and
    truth values are read; a row's number counts from 1.

    Raises:
        GraphError: E_LIST (not such a file, lines that are damaged: all of them are named), E_PACKAGE (parquet).
    """
    kind = path.suffix.lower()
    readers: dict[str, Callable[[Path], Rows]] = {".jsonl": _jsonl, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    if kind not in readers:
        raise GraphError("E_LIST", f"'{path.name}' is no list", hint=f"endings: {' '.join(TABLES)}")
    rows: list[Row] = []
    bad: list[str] = []
    try:
        for row in readers[kind](path):
            if isinstance(row, str):
                bad.append(row)
            else:
                rows.append(_filled(row))
    except NotText as error:
        raise GraphError("E_LIST", f"'{path.name}' {error}", hint=REMEDY) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise GraphError("E_LIST", f"'{path.name}' cannot be read: {why}", hint="see the file") from None
    if bad:
        raise bad_lines(path, bad)
    return rows


def object_rows(path: Path, objects: Sequence[Any]) -> list[Row]:
    """The rows of a JSON or YAML list of objects.

    Raises:
        GraphError: E_LIST, entries are no objects; all of them are named by their number, from 1.
    """
    if bad := [f"entry {i} is no object" for i, one in enumerate(objects, 1) if not isinstance(one, dict)]:
        raise bad_lines(path, bad)
    return [_filled(Row(f"{path.name}:{i}", one)) for i, one in enumerate(objects, 1)]


def _filled(row: Row) -> Row:
    """The row without cells that hold nothing."""
    return Row(row.where, {k: v for k, v in row.values.items() if v is not None and v != "" and not is_nan(v)})


def is_nan(value: Any) -> bool:
    """Whether a cell is the number that is none, which tables have where nothing was."""
    return isinstance(value, float) and isnan(value)


def bad_lines(path: Path, bad: Sequence[str]) -> GraphError:
    """The error that names every bad line of a file."""
    lines = f"{len(bad)} line{'s' * (len(bad) > 1)} of '{path.name}'"
    return GraphError("E_LIST", f"{lines} cannot be used: {listed(bad, '; ')}", hint="correct or remove them")


def column(rows: Sequence[Row], path: Path, wanted: str, known: Sequence[str], what: str, *, needed: bool) -> str:
    """The name of a column: the one that is wanted, else the first that is there of those usually taken.

    Args:
        rows: The rows.
        path: Their file.
        wanted: What the setting says; empty looks for the usual names.
        known: The usual names.
        what: What it holds, for the message.
        needed: Whether it must be there; otherwise the answer is empty without it.

    Raises:
        GraphError: E_LIST.
    """
    there = {name for row in rows for name in row.values}
    if wanted:
        if wanted in there:
            return wanted
        hint = did_you_mean(wanted, there, "columns")
        raise GraphError("E_LIST", f"'{path.name}' has no column '{wanted}'", hint=hint)
    found = next((name for name in known if name in there), "")
    if not found and needed:
        columns = listed(sorted(there)) or "none"
        raise GraphError(
            "E_LIST",
            f"no column of '{path.name}' is one of {what}: {', '.join(known)}",
            hint=f"its columns: {columns}; name the right one in the settings",
        )
    return found


def as_text(value: Any) -> str | None:
    """A cell as a text: numbers in their shortest form; None for nothing, and for what is no text, number or truth."""
    if is_nan(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


def need(module: str, extra: str) -> None:
    """Refuse to go on without a package. Raises GraphError E_PACKAGE."""
    if find_spec(module) is None:
        raise GraphError("E_PACKAGE", f"missing: {module}", hint=f"pip install 'hcpgraph[{extra}]'")


def _jsonl(path: Path) -> Rows:
    for number, line in enumerate(io.StringIO(decoded(path.read_bytes()), newline=None), 1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"line {number} is not valid JSON ({getattr(error, 'msg', None) or type(error).__name__})"
            continue
        yield Row(where, value) if isinstance(value, dict) else f"line {number} is no JSON object"


def _csv(path: Path) -> Rows:
    csv.field_size_limit(FIELD)
    with io.StringIO(decoded(path.read_bytes()), newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            header = next(reader, [])
            names = [name.strip() for name in header]
            if len(set(names)) < len(names) or "" in names:
                yield "line 1 must name every column once"
                return
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    yield f"line {reader.line_num} has {len(cells)} fields instead of {len(names)}"
                else:
                    values = ("" if cell in NOTHING else cell for cell in cells)
                    yield Row(f"{path.name}:{reader.line_num}", dict(zip(names, values, strict=True)))
        except csv.Error as error:
            yield f"line {reader.line_num} is no csv ({error}), and what follows was not read"


def unused_columns(path: Path, rows: Sequence[Row], taken: Sequence[str]) -> list[str]:
    """Columns that hold no texts, numbers or truth values in some row, beside those that are taken."""
    kinds = {name for row in rows for name, value in row.values.items() if as_text(value) is None}
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet

        kinds |= {field.name for field in parquet.read_schema(path) if not _plain(field.type)}
    return sorted(kinds - set(taken))


def _plain(type: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(type):
        type = type.value_type
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    return any(test(type) for test in tests)


def _parquet(path: Path) -> Rows:
    need("pyarrow", "datasets")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = [field.name for field in file.schema_arrow if _plain(field.type)]
            number = 0
            for batch in file.iter_batches(columns=names):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path.name}:{number}", values)
    except (pa.ArrowException, OSError) as error:
        first = first_line(error).replace(str(path), path.name)
        raise GraphError(
            "E_LIST", f"'{path.name}' cannot be read as Parquet: {first}", hint="write the file again"
        ) from None
