"""`data.huggingface`: pictures with captions from the datasets library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.declaring.sources import code_of
from hcpgraph.errors import did_you_mean, listed
from hcpgraph.fingerprint import files_below, stamp
from hcpgraph.widgets import Hint, PathPicker

from .. import private
from ..image.color import RGB, HexColor, rgb
from ..image.read import Header, read_header, read_picture, reason
from ..messages import first_line
from .sources.caption_values import clean
from .sources.captions import filled, require_captions
from .sources.dataset import Dataset, Sample
from .sources.headers import read_headers
from .sources.listing import OnBad, folder_of
from .sources.side_files import read_remembered, write_remembered
from .sources.tables import CAPTION_COLUMNS, as_text, need

ROWS = 256
"""Rows whose headers are read before the node looks whether it was cancelled."""

Column = Annotated[str, Field(max_length=200), Hint(advanced=True)]


class Pictures:
    """One column of encoded pictures, mapped into memory; equal by the key of its content."""

    def __init__(self, table: Any, column: str, key: str) -> None:
        self._table = table
        self._column = column
        self._key = key

    def file(self, row: int) -> bytes | str:
        """The content of a picture file, or the path of one that lies outside of the table."""
        value = self._table[row][self._column] or {}
        found: bytes | str = value.get("bytes") or value.get("path") or b""
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pictures) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class TablePicture:
    """One picture of a column."""

    pictures: Pictures
    row: int
    size: tuple[int, int]
    background: RGB = (255, 255, 255)

    def load(self) -> np.ndarray:
        """The picture (H, W, 3), uint8. Raises GraphError E_PICTURE."""
        return read_picture(self.pictures.file(self.row), self.background, name=f"row {self.row}")

    def load_for(self, size: tuple[int, int]) -> np.ndarray:
        return read_picture(self.pictures.file(self.row), self.background, name=f"row {self.row}", at_least=size)

    def content(self) -> str:
        """sha256 of the picture's file and of the background. Raises GraphError E_PICTURE: the file is gone."""
        file = self.pictures.file(self.row)
        try:
            found = file if isinstance(file, bytes) else Path(file).read_bytes()
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise GraphError("E_PICTURE", f"row {self.row} cannot be read: {why}", hint="load it again") from error
        return sha256(repr(self.background).encode() + found).hexdigest()


@node("data.huggingface", effects="read", packages=("datasets",), title="Hugging Face data set")
def huggingface(
    ctx: Context,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)],
    split: Annotated[str, Field(min_length=1, max_length=200)] = "train",
    subset: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    revision: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    picture_column: Column = "",
    caption_column: Column = "",
    on_missing: Literal["error", "empty", "skip"] = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    background: HexColor = "#ffffff",
    on_bad: OnBad = "error",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """Pictures with captions from the Hugging Face datasets library.

    A folder is one that `save_to_disk` wrote, or one of parquet, arrow or picture files; `hub:owner/name` is a data set
    of huggingface.co, which is downloaded once. Its table is mapped into memory, and a picture is decoded when a batch
    needs it. Columns of texts, numbers and class labels become words for prompt templates; labels by their names. It
    comes with the extra `hcpgraph[datasets]`.

    Args:
        path: A folder, such as `data:pokemon`, or `hub:owner/name`.
        split: Which split, such as `train` or `train[:10%]`.
        subset: Configuration of a data set that has several.
        revision: Branch, tag or commit on huggingface.co; a commit pins the content.
        picture_column: Column of the pictures; empty takes the first one that holds pictures.
        caption_column: Column of the captions; empty takes `caption`, `text` or `prompt`.
        on_missing: What to do with a picture without caption: stop and name them all, use no text, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures whose header cannot be read: stop and name them all, or leave them out.
        name: Name of the data set in sample keys; empty takes the name of the folder or repository.

    Raises:
        GraphError: E_PACKAGE (the extra is not installed), E_DATA (it cannot be loaded, a column, captions missing),
            E_PICTURE.
    """
    need("datasets", "datasets")
    table = _loaded(ctx, path, split, subset, revision)
    pictures, caption = _columns(table, path, picture_column, caption_column)
    source, headers = _headers(ctx, table, pictures, _inside(ctx, path))
    bad = [f"row {row} ({why})" for row, why in enumerate(headers) if isinstance(why, str)]
    if bad:
        message = f"{len(bad)} of {len(headers)} pictures in '{path}' cannot be read: {listed(bad, '; ')}"
        if on_bad == "error":
            raise GraphError("E_PICTURE", message, hint="replace them, or set on_bad to skip")
        ctx.log(f"left out, {message}", level="warning")
    words = list(_words(table, pictures))
    texts = [None if (text := row.pop(caption, None)) is None else clean(text) for row in words]
    good = [row for row, header in enumerate(headers) if not isinstance(header, str)]
    require_captions([f"row {row}" for row in good if texts[row] is None], len(good), path, on_missing)
    color = rgb(background)
    samples: list[Sample] = []
    for row in good:
        text, size = filled("", texts[row], on_missing, trigger), headers[row]
        if text is not None and not isinstance(size, str):
            samples.append(Sample(TablePicture(source, row, size, color), text, str(row), words=words[row] or None))
    if not samples:
        raise GraphError("E_DATA", f"no picture of '{path}' is left", hint="see on_missing and on_bad")
    known = {pictures, caption, *(name for row in words for name in row)}
    unused = [name for name in table.features if name not in known]
    more = [f"columns not used: {listed(unused)}"] * bool(unused)
    if not path.startswith("hub:"):
        beside = _beside(ctx, folder_of(ctx, path), table, subset)
        more += [f"{len(beside)} files not used: {listed(beside)}"] * bool(beside)
    ctx.log("; ".join([f"{len(samples)} of {len(headers)} pictures in {path}", *more]))
    return Dataset(name or path.rpartition("/")[2].rpartition(":")[2], tuple(samples))


def _loaded(ctx: Context, path: str, split: str, subset: str, revision: str) -> Any:
    """The table, mapped into memory. Raises GraphError E_DATA."""
    import datasets

    hub = path.startswith("hub:")
    folder = None if hub else folder_of(ctx, path)
    try:
        if folder is None:
            table = datasets.load_dataset(path[4:], subset or None, split=split, revision=revision or None)
        elif (folder / "state.json").is_file():
            table = datasets.load_from_disk(str(folder))
        elif (folder / "dataset_dict.json").is_file():
            table = datasets.load_from_disk(str(folder))[split]
        else:
            cache = ctx.path("cache:huggingface", must_exist=False)
            table = datasets.load_dataset(str(folder), subset or None, split=split, cache_dir=str(cache))
        if not isinstance(table, datasets.Dataset):
            raise TypeError(f"'{split}' gives {type(table).__name__}: name one split")
    except Exception as error:  # readers of a dozen formats and an HTTP client: whatever they raise
        first = first_line(error)
        message = first if folder is None else first.replace(str(folder), path)
        raise GraphError(
            "E_DATA",
            f"'{path}' cannot be loaded: {type(error).__name__}: {message}",
            hint="see its name, split and subset; without a network only what was loaded before is there: "
            "load it once with one, or name a folder that save_to_disk wrote"
            if hub
            else "see its files, split and subset",
        ) from error
    return table


def _beside(ctx: Context, folder: Path, table: Any, subset: str) -> list[str]:
    """Files of a folder that the table does not stand on: of another split, or nothing that the library reads."""
    import datasets

    used = {Path(os.path.realpath(entry["filename"])) for entry in table.cache_files}
    saved = [folder / name for name in ("state.json", "dataset_dict.json") if (folder / name).is_file()]
    if saved:
        used |= {file.with_name(name) for file in used for name in ("state.json", "dataset_info.json")} | {*saved}
    else:
        cache = ctx.path("cache:huggingface", must_exist=False)
        files = datasets.load_dataset_builder(str(folder), subset or None, cache_dir=str(cache)).config.data_files
        used |= {Path(os.path.realpath(file)) for part in (files or {}).values() for file in part}
    return [path.relative_to(folder).as_posix() for path in files_below(folder) if path.resolve() not in used]


def _columns(table: Any, path: str, picture: str, caption: str) -> tuple[str, str]:
    """The names of the picture and the caption column; the latter may be empty."""
    import datasets

    features = table.features
    for wanted in filter(None, (picture, caption)):
        if wanted not in features:
            hint = did_you_mean(wanted, features, "columns")
            raise GraphError("E_DATA", f"'{path}' has no column '{wanted}'", hint=hint)
    holding = [column for column, feature in features.items() if isinstance(feature, datasets.Image)]
    if (picture or next(iter(holding), "")) not in holding:
        raise GraphError(
            "E_DATA",
            f"column '{picture}' of '{path}' holds no pictures" if picture else f"'{path}' has no column of pictures",
            hint=f"columns: {listed(features)}; pictures: {listed(holding) or 'none'}",
        )
    found = caption or next((column for column in CAPTION_COLUMNS if column in features), "")
    if found and not _is_plain(features[found]):
        raise GraphError("E_DATA", f"column '{found}' of '{path}' holds no texts", hint="set caption_column")
    return picture or holding[0], found


def _is_plain(feature: Any) -> bool:
    import datasets

    if isinstance(feature, datasets.ClassLabel):
        return True
    return isinstance(feature, datasets.Value) and feature.dtype.startswith(
        ("string", "large_string", "int", "uint", "float", "bool")
    )


def _words(table: Any, pictures: str) -> Iterator[dict[str, str]]:
    """The plain columns of every row as texts."""
    import datasets

    names = [column for column, feature in table.features.items() if column != pictures and _is_plain(feature)]
    if not names:
        yield from ({} for _ in range(len(table)))
        return
    labels = {name: table.features[name] for name in names if isinstance(table.features[name], datasets.ClassLabel)}
    for row in table.select_columns(names).with_format(None):
        values = {
            name: labels[name].int2str(value) if name in labels and value is not None and value >= 0 else value
            for name, value in row.items()
        }
        yield {name: text for name, value in values.items() if (text := as_text(value))}


def _inside(ctx: Context, path: str) -> list[Path]:
    """Where files may lie that a table names: a table from elsewhere could name any picture of this machine."""
    if not path.startswith("hub:"):
        return [ctx.run.roots.root(path.partition(":")[0]), ctx.path("cache:huggingface", must_exist=False)]
    return [Path(os.path.realpath(folder)) for folder in private.table_folders()]


def _headers(
    ctx: Context, table: Any, column: str, inside: Sequence[Path]
) -> tuple[Pictures, list[tuple[int, int] | str]]:
    """The column and the size of every picture in it, or why it cannot be read; remembered by what the table is."""
    import datasets

    narrow = table.select_columns([column]).cast_column(column, datasets.Image(decode=False)).with_format(None)
    known_by = [private.table_fingerprint(table), column, *_stamps(table), code_of(__name__, "PIL")]
    key = sha256("\0".join(known_by).encode()).hexdigest()
    source = Pictures(narrow, column, key)
    file = ctx.path(f"cache:huggingface-sizes/{key[:32]}.json", must_exist=False)
    known = read_remembered(file, key)
    if known is None:
        known = []
        for start in range(0, len(narrow), ROWS):
            ctx.check()
            known += [_size(source.file(row)) for row in range(start, min(start + ROWS, len(narrow)))]
            ctx.progress(len(known), len(narrow))
        write_remembered(file, key, known)
    named = {row: Path(os.path.realpath(entry["path"])) for row, entry in enumerate(known) if isinstance(entry, dict)}
    files = {row: file for row, file in named.items() if any(file.is_relative_to(folder) for folder in inside)}
    headers = read_headers(ctx, files.values())
    found: list[tuple[int, int] | str] = []
    for row, entry in enumerate(known):
        header = headers[files[row]] if row in files else "its file lies elsewhere" if row in named else entry
        size = header.size if isinstance(header, Header) else header
        found.append(size if isinstance(size, str) else (size[0], size[1]))
    return source, found


def _size(file: bytes | str) -> list[int] | str | dict[str, str]:
    """Width and height, why the picture cannot be read, or where it lies outside of the table."""
    if isinstance(file, str):
        return {"path": file}
    try:
        return list(read_header(file).size) if file else "there is no picture"
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        return reason(error, "")


def _stamps(table: Any) -> Iterator[str]:
    """What changes whenever the files of the table change."""
    for entry in table.cache_files:
        yield f"{entry['filename']} {stamp(Path(entry['filename']))}"
