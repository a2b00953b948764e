"""`data.conditions`: a second picture for every picture, such as an edge map for a ControlNet."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, PathPicker

from ..image.color import HexColor, rgb
from .sources.dataset import Dataset, PictureFile
from .sources.listing import Check
from .sources.matching import matched, require_pictures, require_same_shape


@node("data.conditions", effects="read")
def conditions(
    ctx: Context,
    dataset: Dataset,
    *,
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)],
    on_missing: Literal["error", "skip"] = "error",
    background: HexColor = "#000000",
    check: Annotated[Check, Hint(advanced=True)] = "header",
) -> Dataset:
    """Pair every picture with a second one of the same scene, such as an edge map for a ControlNet.

    The condition of the sample `sub/cat.png` is `sub/cat` with any picture ending in the folder. It may be larger or
    smaller than its picture, but has its shape: both are scaled and cropped alike. Files that belong to no sample are
    logged as a warning.

    Args:
        dataset: The pictures.
        path: The folder of the conditions, such as `data:cats-edges`.
        on_missing: What to do with a picture without condition: stop and name them all, or leave it out.
        background: What shows through transparent conditions, `#rrggbb`.
        check: `decode` reads every condition once, so that a truncated file is found now; `header` trusts what its
            first bytes say.

    Raises:
        GraphError: E_DATA (conditions are missing, two files for one picture), E_SIZE (another shape), E_PICTURE.
    """
    require_pictures(dataset)
    found, files, headers = matched(ctx, dataset, path, check)
    missing = list(dict.fromkeys(sample.id for sample in dataset.samples if sample.id not in files))
    if missing and (on_missing == "error" or not files):
        raise GraphError(
            "E_DATA",
            f"{len(missing)} pictures of '{dataset.name}' have no condition in '{path}': {listed(missing)}",
            hint="conditions have the path of their picture, with any picture ending",
        )
    if missing:
        ctx.log(f"left out, {len(missing)} pictures without condition: {listed(missing)}", level="warning")
    require_same_shape(dataset, "conditions", files, headers)
    color = rgb(background)
    sources = {id: PictureFile(str(found.path(name)), headers[name].size, color) for id, name in files.items()}
    samples = tuple(replace(s, condition=sources[s.id]) for s in dataset.samples if s.id in sources)
    return Dataset(dataset.name, samples)
