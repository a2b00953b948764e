"""`data.masks`: how much every pixel of a picture counts in the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Hint, PathPicker

from ..image.read import read_brightness, read_opacity
from .sources.dataset import Dataset, Mask, PictureFile
from .sources.headers import read_headers
from .sources.listing import Check
from .sources.matching import matched, require_pictures, require_same_shape

Curve = Literal["hcp", "linear"]


@dataclass(frozen=True, slots=True)
class MaskFile:
    """Weights from a picture file: its brightness, or its opacity, through a curve."""

    path: str
    curve: Curve
    opacity: bool = False

    def load(self) -> np.ndarray:
        """Weights (H, W), float32. Raises GraphError E_PICTURE."""
        return weights(read_opacity(self.path) if self.opacity else read_brightness(self.path), self.curve)


def weights(values: np.ndarray, curve: Curve) -> np.ndarray:
    """Loss weights, float32, of values 0 … 255.

    `linear`: v / 255. `hcp`: v / 127 up to 127, above it (v − 127) / 128 · 4 + 1, so that 0, 25, 50, 75 and 100 % are
    0, 0.5, 1, 3 and 5 (HCP-Diffusion, attention mask).
    """
    steps = np.arange(256, dtype=np.float32)
    table = steps / 255 if curve == "linear" else np.where(steps <= 127, steps / 127, (steps - 127) / 128 * 4 + 1)
    found: np.ndarray = table.astype(np.float32)[values]
    return found


@node("data.masks", effects="read")
def masks(
    ctx: Context,
    dataset: Dataset,
    *,
    source: Literal["side_folder", "alpha"] = "side_folder",
    path: Annotated[str, PathPicker(kind_of="folder", primary=True)] = "",
    curve: Literal["auto", "hcp", "linear"] = "auto",
    on_missing: Literal["error", "ones"] = "error",
    check: Annotated[Check, Hint(advanced=True)] = "header",
) -> Dataset:
    """Say how much every pixel of a picture counts in the loss.

    The mask of the sample `sub/cat.png` is `sub/cat` with any picture ending in a folder, read as grey; or it is the
    transparency of the picture itself. A mask may be larger or smaller than its picture, but has its shape. Curves from
    brightness to weight: `hcp` gives 0, 0.5, 1, 3, 5 at 0, 25, 50, 75, 100 % (HCP-Diffusion's attention mask), so that
    mid-grey is neutral; `linear` gives 0 … 1. Files that belong to no sample are logged as a warning.

    Args:
        dataset: The pictures.
        source: `side_folder` reads mask files, `alpha` the transparency of the pictures.
        path: The folder of the masks, such as `data:cats-masks`; not used with `alpha`.
        curve: Weight of a brightness or opacity; `auto` takes `hcp` for mask files and `linear` for transparency.
        on_missing: What to do with a picture without mask: stop and name them all, or count all its pixels once.
        check: `decode` reads every mask once, so that a truncated file is found now; `header` trusts what its first
            bytes say.

    Raises:
        GraphError: E_DATA (masks are missing, two files for one picture, no folder named, pictures that are no files),
            E_SIZE (another shape), E_PICTURE.
    """
    require_pictures(dataset)
    taken: Curve = ("linear" if source == "alpha" else "hcp") if curve == "auto" else curve
    made = _alpha(ctx, dataset, taken) if source == "alpha" else _folder(ctx, dataset, path, taken, check)
    missing = list(dict.fromkeys(sample.id for sample in dataset.samples if sample.id not in made))
    if missing and on_missing == "error":
        where = "transparency" if source == "alpha" else f"mask in '{path}'"
        raise GraphError(
            "E_DATA",
            f"{len(missing)} pictures of '{dataset.name}' have no {where}: {listed(missing)}",
            hint="set on_missing to ones to count all their pixels once",
        )
    if missing:
        ctx.log(f"{len(missing)} pictures without mask count everywhere: {listed(missing)}", level="warning")
    return Dataset(dataset.name, tuple(replace(s, mask=made.get(s.id)) for s in dataset.samples))


def _folder(ctx: Context, dataset: Dataset, path: str, curve: Curve, check: Check) -> dict[str, Mask]:
    if not path:
        raise GraphError("E_DATA", "no folder of masks is named", port="path", hint="set path, or source to alpha")
    found, files, headers = matched(ctx, dataset, path, check)
    require_same_shape(dataset, "masks", files, headers)
    return {id: MaskFile(str(found.path(name)), curve) for id, name in files.items()}


def _alpha(ctx: Context, dataset: Dataset, curve: Curve) -> dict[str, Mask]:
    """Masks of the pictures that have transparency."""
    from pathlib import Path

    if other := [s.id for s in dataset.samples if not isinstance(s.source, PictureFile)]:
        raise GraphError(
            "E_DATA", f"these pictures are no files and keep no transparency: {listed(other)}", hint="use mask files"
        )
    files = {s.id: s.source.path for s in dataset.samples if isinstance(s.source, PictureFile)}
    headers = read_headers(ctx, map(Path, files.values()))
    clear = {id for id, file in files.items() if not isinstance(h := headers[Path(file)], str) and h.alpha}
    return {id: MaskFile(file, curve, opacity=True) for id, file in files.items() if id in clear}
