"""`data.folder`: a folder of pictures with captions from side files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import HexColor, rgb
from ..image.read import SUFFIXES, check_picture, reason
from . import captions as read
from .dataset import Dataset, PictureFile, Sample

SHOWN = 20
THREADS = 8
CHUNK = 256


@node("data.folder", effects="read")
def folder(
    ctx: Context,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)],
    recursive: bool = True,
    captions: Literal["txt", "json", "filename", "none"] = "txt",
    on_missing: Literal["error", "empty", "filename", "skip"] = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 1,
    background: HexColor = "#ffffff",
    on_bad: Literal["error", "skip"] = "error",
    check: Annotated[Literal["decode", "header"], Hint(advanced=True)] = "decode",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """A folder of pictures with captions.

    Pictures are PNG, JPEG, WebP, BMP, GIF, TIFF and AVIF files, sorted by their path; names that begin with a dot are
    left out, linked folders are not entered. EXIF orientation is applied.

    Captions are UTF-8. `txt`: the text of `cat.txt` beside `cat.png`. `json`: `cat.json` beside `cat.png` (a text
    or `{"caption": text}`), else the entry of `captions.json` in the folder, `{"sub/cat.png": text}`, where the suffix
    may be left out. `filename`: `black_cat-03.png` gives "black cat".

    Args:
        path: The folder, such as `data:cats`.
        recursive: Whether pictures in sub-folders belong to it.
        captions: Where captions come from.
        on_missing: What to do with a picture without caption: stop, use no text, use its file name, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        repeats: How many times every picture counts in an epoch.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures that cannot be read: stop and name them all, or leave them out.
        check: `decode` reads every picture once, so that a truncated file is found now and not in the middle of the
            training; `header` trusts what its first bytes say.
        name: Name of the data set in sample keys, on which random draws depend; empty takes the name of the folder.

    Raises:
        GraphError: E_DATA (no pictures, captions missing), E_PICTURE (unreadable pictures), E_CAPTION (a side file).
    """
    root = ctx.path(path)
    if not root.is_dir():
        raise GraphError("E_DATA", f"'{path}' is no folder", hint="name the folder, not one of its files")
    files = _pictures(ctx, root, path, recursive)
    if not files:
        raise GraphError("E_DATA", f"'{path}' holds no pictures", hint=f"endings: {' '.join(SUFFIXES)}")

    sizes = _sizes(ctx, root, files, check == "decode")
    bad = {file: size for file, size in sizes.items() if isinstance(size, str)}
    if bad and on_bad == "error":
        listed = "; ".join(f"{file} ({why})" for file, why in list(bad.items())[:SHOWN])
        raise GraphError(
            "E_PICTURE",
            f"{len(bad)} of {len(files)} pictures in '{path}' cannot be read: {listed}{_more(len(bad))}",
            hint="replace or remove them, or set on_bad to skip",
        )
    texts = _captions(root, [file for file in files if file not in bad], captions)
    missing = [file for file, text in texts.items() if text is None]
    if missing and on_missing == "error":
        raise GraphError(
            "E_DATA",
            f"{len(missing)} of {len(texts)} pictures in '{path}' have no caption: "
            f"{', '.join(missing[:SHOWN])}{_more(len(missing))}",
            hint="write the side files, or set on_missing or captions",
        )
    if on_missing == "skip":
        texts = {file: text for file, text in texts.items() if text is not None}
    elif on_missing == "filename":
        texts |= {file: read.from_filename(Path(file)) for file in missing}
    if not texts:
        raise GraphError("E_DATA", f"no picture of '{path}' is left", hint="all of them were skipped; see the settings")

    color = rgb(background)
    samples = tuple(
        Sample(PictureFile(str(root / file), sizes[file], color), _with(trigger, text or ""), file)  # type: ignore[arg-type]
        for file, text in texts.items()
    )
    skipped = len(files) - len(samples)
    ctx.log(f"{len(samples)} pictures in {path}" + (f", {skipped} skipped" if skipped else ""))
    return Dataset(name or root.name, samples * repeats)


def _pictures(ctx: Context, root: Path, uri: str, recursive: bool) -> list[str]:
    """Relative paths of all pictures, sorted; a linked file must lie below the same named root."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if recursive and not f.startswith(".")]
        for file in files:
            if file.startswith(".") or not file.lower().endswith(SUFFIXES):
                continue
            path = Path(folder, file)
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                ctx.path(f"{uri.rstrip('/')}{'' if uri.endswith(':') else '/'}{relative}")
            found.append(relative)
        ctx.check()
    return sorted(found)


def _sizes(ctx: Context, root: Path, files: list[str], decode: bool) -> dict[str, tuple[int, int] | str]:
    """(width, height) of every picture, or why it cannot be read."""
    sizes: dict[str, tuple[int, int] | str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), CHUNK):
            ctx.check()
            chunk = files[start : start + CHUNK]
            sizes |= zip(chunk, pool.map(partial(_size, root, decode), chunk), strict=True)
            ctx.progress(len(sizes), len(files))
    return sizes


def _size(root: Path, decode: bool, file: str) -> tuple[int, int] | str:
    try:
        return check_picture(root / file, decode=decode)
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        return reason(error, root / file)


def _captions(root: Path, files: Iterable[str], kind: str) -> dict[str, str | None]:
    if kind == "none":
        return dict.fromkeys(files, "")
    if kind == "filename":
        return {file: read.from_filename(Path(file)) for file in files}
    if kind == "txt":
        return {file: read.from_txt(root / file) for file in files}
    common = read.read_common(root)
    return {file: read.from_json(root / file, file, common) for file in files}


def _with(trigger: str, text: str) -> str:
    return ", ".join(part for part in (trigger, text) if part)


def _more(count: int) -> str:
    return f" … and {count - SHOWN} more" if count > SHOWN else ""
