"""Files of a side folder that belong to the pictures of a data set: same path, any picture ending."""

from __future__ import annotations

from collections.abc import Mapping

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed

from ...image.read import Header
from .dataset import Dataset
from .listing import Check, Listing, list_folder, readable
from .names import by_stem, stem


def matched(
    ctx: Context, dataset: Dataset, uri: str, check: Check
) -> tuple[Listing, dict[str, str], dict[str, Header]]:
    """The side folder, the file of every sample that has one (by sample id), and the headers of these files.

    Files that belong to no sample are logged as a warning.

    Raises:
        GraphError: E_DATA (two files of one sample, no folder), E_PICTURE (names all that cannot be read).
    """
    found = list_folder(ctx, uri)
    sides = by_stem(found.pictures)
    owned = {sample.id: stem(sample.id) for sample in dataset.samples}
    chosen = {id: sides[name] for id, name in owned.items() if name in sides}
    if twice := [" and ".join(names) for names in chosen.values() if len(names) > 1]:
        raise GraphError(
            "E_DATA", f"more than one file in '{uri}' for one picture: {listed(twice)}", hint="keep one of each"
        )
    left = [name for key, names in sides.items() if key not in set(owned.values()) for name in names]
    if left:
        ctx.log(f"{len(left)} files in {uri} belong to no sample of {dataset.name}: {listed(left)}", level="warning")
    files = {id: names[0] for id, names in chosen.items()}
    shared = [f"{files[ids[0]]} of {' and '.join(ids)}" for ids in _sharing(files).values() if len(ids) > 1]
    if shared:
        ctx.log(f"{uri}: {len(shared)} files are shared by several pictures: {listed(shared)}", level="warning")
    ctx.log(f"{len(set(files.values()))} files of {uri} for {len(owned)} pictures{found.unused()}")
    paths = {name: found.path(name) for name in files.values()}
    return found, files, readable(ctx, uri, paths, decode=check == "decode", on_bad="error")


def _sharing(files: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id, name in files.items():
        found.setdefault(name, []).append(id)
    return found


def same_shape(picture: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one (width, height) is the other scaled, up to rounding to whole pixels."""
    (w, h), (v, g) = picture, other
    return any(abs(number) < 1 for number in (v * h / w - g, g * w / h - v, w * g / v - h, h * v / g - w))


def require_same_shape(dataset: Dataset, what: str, files: Mapping[str, str], headers: Mapping[str, Header]) -> None:
    """Raises GraphError E_SIZE: names every file whose shape is not that of its picture."""
    wrong = {}
    for sample in dataset.samples:
        if sample.source is None or sample.id not in files:
            continue
        size, other = sample.source.size, headers[files[sample.id]].size
        if not same_shape(size, other):
            wrong[sample.id] = f"{files[sample.id]} is {other[0]}x{other[1]}, {sample.id} is {size[0]}x{size[1]}"
    if wrong:
        raise GraphError(
            "E_SIZE",
            f"{len(wrong)} {what} have another shape than their pictures: {listed(wrong.values(), '; ')}",
            hint="make them anew: they must show the same part of the scene, at any scale",
        )


def require_pictures(dataset: Dataset) -> None:
    """Raises GraphError E_DATA for a data set of texts alone."""
    if any(sample.source is None for sample in dataset.samples):
        raise GraphError(
            "E_DATA", f"the data set '{dataset.name}' is of texts alone", port="dataset", hint="wire one of pictures"
        )
