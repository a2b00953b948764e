"""`data.class_folders`: one folder a class."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import did_you_mean, listed
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import HexColor, rgb
from ..python.object import PythonObject
from .sources.captions import EXTENSIONS, Captions, Extension, OnMissing, Origin, captions_of, settled
from .sources.dataset import Dataset, PictureFile, Sample
from .sources.listing import Check, OnBad, list_folder, readable
from .sources.names import composed
from .sources.repeats import FolderRepeats, named, repeats_of


@node("data.class_folders", effects="read")
def class_folders(
    ctx: Context,
    captions_from: PythonObject | None = None,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)],
    repeats: dict[str, Annotated[int, Field(ge=0, le=10_000)]] = {},  # noqa: B006 - a default of the schema
    folder_repeats: Annotated[FolderRepeats, Hint(advanced=True)] = "auto",
    words: dict[str, str] = {},  # noqa: B006
    captions: Literal[
        "class_name", "txt", "lines", "json", "yaml", "jsonl", "csv", "parquet", "auto", "filename", "none"
    ] = "class_name",
    caption_extensions: Annotated[list[Extension], Field(max_length=20), Hint(advanced=True)] = EXTENSIONS,
    on_missing: OnMissing = "error",
    trigger: Annotated[str, Field(max_length=200)] = "",
    background: HexColor = "#ffffff",
    on_bad: OnBad = "error",
    check: Annotated[Check, Hint(advanced=True)] = "header",
    name: Annotated[str, Field(max_length=100), Hint(advanced=True)] = "",
) -> Dataset:
    """A folder with one folder of pictures a class.

    The class of `dogs/red_fox/01.png` in `data:dogs` is `red_fox`. Prompt templates have the word of its class as the
    slot `{class}`, and the sample's id is `red_fox/01.png`. Folders inside a class belong to it; pictures that lie in
    no class folder are left out and logged as a warning.

    Args:
        captions_from: A class of your own that knows the captions, as in data.folder.
        path: The folder of the class folders, such as `data:dogs`.
        repeats: How many times the pictures of a class count in an epoch, by the name of its folder: 1 where nothing is
            said, 0 leaves a class out. Samples of classes are in the order of their names.
        folder_repeats: Whether the pictures of a class `10_fox` count 10 times where `repeats` says nothing, and its
            word is `fox`, as in kohya's scripts: `auto` if all classes are called so and no number is above 200, or
            `always`, of each that is, or `never`.
        words: What stands for a class in prompts, by the name of its folder; otherwise that name with spaces for
            underscores.
        captions: Where captions come from: `class_name` takes the word of the class, all others are those of
            data.folder.
        caption_extensions: Endings of the text files with captions, in any case; two files for one picture are
            refused.
        on_missing: What to do with a picture without caption: stop, use no text, use its file name, or leave it out.
        trigger: Put in front of every caption: `trigger, caption`.
        background: What shows through transparent pictures, `#rrggbb`.
        on_bad: What to do with pictures that cannot be read: stop and name them all, or leave them out.
        check: `decode` reads every picture once, so that a truncated file is found now; `header` trusts what its first
            bytes say.
        name: Name of the data set in sample keys; empty takes the name of the folder.

    Raises:
        GraphError: E_DATA (no class folders, a class that is not there, captions missing), E_PICTURE, E_CAPTION,
            E_LIST, E_OBJECT, E_PACKAGE.
    """
    found = list_folder(ctx, path)
    classes = {file: composed(file.partition("/")[0]) for file in found.pictures if "/" in file}
    repeats = {composed(text): count for text, count in repeats.items()}
    words = {composed(text): word for text, word in words.items()}
    if loose := [file for file in found.pictures if file not in classes]:
        ctx.log(f"{len(loose)} pictures of {path} lie in no class folder: {listed(loose)}", level="warning")
    known = set(classes.values())
    if not known:
        raise GraphError("E_DATA", f"'{path}' has no class folders", hint="put pictures into a folder a class")
    for setting, given in (("repeats", repeats), ("words", words)):
        if unknown := [text for text in given if text not in known]:
            hint = did_you_mean(unknown[0], known, "classes")
            raise GraphError("E_DATA", f"no class {listed(unknown)} in '{path}'", port=setting, hint=hint)
    by_name = repeats_of(known, folder_repeats)
    repeats = {text: repeats.get(text, by_name.get(text, 1)) for text in known}
    wanted = [file for file in classes if repeats[classes[file]]]
    own = {text: pair[1] if text in by_name and (pair := named(text)) else text for text in known}
    word = {text: words.get(text, own[text].replace("_", " ")) for text in known}
    headers = readable(ctx, path, {file: found.path(file) for file in wanted}, decode=check == "decode", on_bad=on_bad)
    if captions == "class_name" and captions_from is None:
        read = Captions({file: word[classes[file]] for file in headers}, told=["words of classes"])
    else:
        kind = "none" if captions == "class_name" else captions
        origin = Origin(kind, loader=captions_from, extensions=caption_extensions)
        read = captions_of(ctx, found, list(headers), origin)
    color = rgb(background)
    samples: list[Sample] = []
    by_class: dict[str, list[Sample]] = {}
    for file, text in settled(read.texts, path, on_missing, trigger).items():
        source = PictureFile(str(found.path(file)), headers[file].size, color)
        sample = Sample(source, text, file, words={"class": word[classes[file]]})
        by_class.setdefault(classes[file], []).append(sample)
    for text, members in sorted(by_class.items()):
        samples += members * repeats[text]
    counts = [f"{text} {len(members)} × {repeats[text]}" for text, members in sorted(by_class.items())]
    counts += [f"{text} × 0" for text in sorted(known - set(by_class)) if not repeats[text]]
    ctx.log(f"{len(samples)} samples in {path}: {listed(counts)}; {read.line(found)}")
    return Dataset(name or found.root.name, tuple(samples))
