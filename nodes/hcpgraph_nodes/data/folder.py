"""`data.folder`: a folder of pictures with captions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import HexColor, rgb
from ..python.object import PythonObject
from .sources.caption_files import Columns
from .sources.captions import EXTENSIONS, Extension, Kind, OnMissing, Origin, captions_of, settled
from .sources.dataset import Dataset, PictureFile, Sample
from .sources.listing import Check, OnBad, list_folder, readable
from .sources.repeats import FolderRepeats, repeats_of


@node("data.folder", effects="read")
def folder(
    ctx: Context,
    captions_from: PythonObject | None = None,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)],
    recursive: bool = True,
    captions: Kind = "txt",
    captions_file: Annotated[str, PathPicker(kind_of="file", advanced=True)] = "",
    caption_extensions: Annotated[list[Extension], Field(max_length=20), Hint(advanced=True)] = EXTENSIONS,
    name_column: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    caption_column: Annotated[str, Field(max_length=200), Hint(advanced=True)] = "",
    on_missing: OnMissing = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 1,
    folder_repeats: Annotated[FolderRepeats, Hint(advanced=True)] = "auto",
    background: HexColor = "#ffffff",
    on_bad: OnBad = "error",
    check: Annotated[Check, Hint(advanced=True)] = "header",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """A folder of pictures with captions.

    Pictures are PNG, JPEG, WebP, BMP, GIF, TIFF and AVIF files, with `hcpgraph[pictures]` also HEIC and JPEG XL,
    sorted by their path; names that begin with a dot are left out, linked folders are not entered. EXIF orientation is
    applied. Only headers are read here, in parallel, and remembered: a picture that has not changed is not opened
    again. The log says what was read and counts what was not.

    Captions are UTF-8. `txt`, `json`, `yaml`: the file `cat.txt` (`cat.caption`, `cat.json`, `cat.yaml`) beside
    `cat.png`; JSON and YAML hold a text, a list of texts, or an object with `caption`, `tags` or both. `lines`: every
    line of `cat.txt` is a caption of its own, with the trigger in front, of which text.pick_line draws one; so is
    every text of a list. For a picture without such a file, `json` and `yaml` take the entry of `captions.json`,
    `image_captions.json` or kohya's `meta_cap.json` (`captions.yaml`) in the folder, `{"sub/cat.png": text}` or a list
    of objects; absolute paths in it count by their end. `jsonl`, `csv`, `parquet`: the row of `captions.jsonl` or
    `metadata.jsonl` (`.csv`, `.tsv`, `.parquet`) with a column for the picture and one for its caption. The ending of
    a picture may be left out in all of them; null, NaN and empty cells are no caption. `auto`: whichever of these the
    folder has; it must not have two. `filename`: `black_cat-03.png` gives "black cat". Caption files and entries
    without a picture are logged as a warning.

    Args:
        captions_from: A class of your own that knows the captions. If it has `load()`, that gives a mapping from
            picture paths, relative to the folder, with or without ending, to texts; otherwise its object is called
            with the path of each picture and gives a text or None.
        path: The folder, such as `data:cats`.
        recursive: Whether pictures in sub-folders belong to it.
        captions: Where captions come from.
        captions_file: One file with all captions (json, yaml, jsonl, csv, tsv, parquet), wherever it lies, read by its
            ending instead of what `captions` says.
        caption_extensions: Endings of the text files with captions, in any case; two files for one picture are
            refused.
        name_column: Column of a table that names the picture; empty takes `file_name`, `file`, `image` or the like.
        caption_column: Column of a table that holds the caption; empty takes `caption`, `text` or `prompt`.
        on_missing: What to do with a picture without caption: stop, use no text, use its file name, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        repeats: How many times every picture counts in an epoch.
        folder_repeats: Whether pictures in a folder `10_cat` directly below count 10 times as often, as in kohya's
            scripts: `auto` if all of them lie in such folders and no number is above 200, or `always`, in each that is
            called so, or `never`.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures that cannot be read: stop and name them all, or leave them out.
        check: `decode` reads every picture once, so that a truncated file is found now and not in the middle of the
            training; `header` trusts what its first bytes say.
        name: Name of the data set in sample keys, on which random draws depend; empty takes the name of the folder.

    Raises:
        GraphError: E_DATA (no pictures, captions missing), E_PICTURE (unreadable pictures), E_CAPTION, E_LIST (a file
            of captions), E_OBJECT (the loader), E_PACKAGE (parquet needs an extra).
    """
    found = list_folder(ctx, path, recursive=recursive)
    headers = readable(
        ctx, path, {file: found.path(file) for file in found.pictures}, decode=check == "decode", on_bad=on_bad
    )
    origin = Origin(captions, captions_file, Columns(name_column, caption_column), captions_from, caption_extensions)
    read = captions_of(ctx, found, list(headers), origin)
    texts = settled(read.texts, path, on_missing, trigger)
    color = rgb(background)
    samples = [
        Sample(PictureFile(str(found.path(file)), headers[file].size, color), text, file)
        for file, text in texts.items()
    ]
    skipped = len(found.pictures) - len(samples)
    ctx.log(f"{len(samples)} pictures in {path}{f', {skipped} skipped' if skipped else ''}: {read.line(found)}")
    times = repeats_of((file.rpartition("/")[0].partition("/")[0] for file in texts), folder_repeats)
    if times:
        ctx.log(f"repeats by folder: {listed(f'{folder} × {count}' for folder, count in sorted(times.items()))}")
        samples = [one for one in samples for _ in range(times.get(one.id.rpartition("/")[0].partition("/")[0], 1))]
    return Dataset(name or found.root.name, tuple(samples) * repeats)
