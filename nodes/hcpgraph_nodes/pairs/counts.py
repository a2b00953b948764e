"""As many prompts as pictures, titles as rows, names as curves, samples a batch as were planned."""

from __future__ import annotations

from typing import Any

from hcpgraph.errors import Problem

from ..sample.samplers import NODES
from .told import error, number, origin, warning


def captions_of(view: Any, port: str) -> int | None:
    """How many captions come in at a port, as far as nodes between keep their number."""
    for _ in range(64):
        givers = view.givers(port)
        if not givers:
            return None
        view = givers[0]
        if view.type == "text.prompt":
            texts, repeat = view.settings.get("texts"), number(view, "repeat")
            return len(texts) * repeat if isinstance(texts, list) and repeat else None
        port = next((name for name in ("captions", "value") if name in view.connected), "")
        if not port or not view.type.startswith(("text.", "flow.", "data.caption")):
            return None
    return None


def conditions_of(view: Any, port: str) -> int | None:
    """How many rows a condition has that text.encode made."""
    encoder = origin(view, port)
    return captions_of(encoder, "captions") if encoder is not None and encoder.type == "text.encode" else None


def pictures_of(view: Any, port: str) -> int | None:
    """How many latents or pictures come in at a port."""
    for _ in range(64):
        givers = view.givers(port)
        if len(givers) != 1:
            return None
        view = givers[0]
        if view.type == "sample.empty_latents":
            return number(view, "count")
        if view.type not in ("sample.denoise", "image.decode", "image.resize", "flow.after", "flow.reroute"):
            return None
        port = next((name for name in ("latents", "images", "value") if name in view.connected), "")
    return None


def prompts_for_pictures(view: Any) -> list[Problem]:
    """A node that samples has one prompt, positive and negative, for all pictures or one a picture."""
    if view.type not in NODES:
        return []
    pictures, found = pictures_of(view, "latents"), []
    for port in ("positive", "negative"):
        prompts = conditions_of(view, port)
        if pictures is not None and prompts is not None and prompts not in (1, pictures):
            message = f"{prompts} {'negative ' if port == 'negative' else ''}prompts for {pictures} pictures"
            hint = "give one prompt for all or one a picture, or change count in sample.empty_latents"
            found.append(error(view, "E_BATCH", port, message, hint))
    return found


def captions_below_pictures(view: Any) -> list[Problem]:
    """`image.grid` has a caption a picture, a column or for all, and no more titles than rows."""
    if view.type != "image.grid":
        return []
    rows, columns, titles = view.wires.get("images", 0), number(view, "columns"), view.settings.get("row_titles")
    found = []
    if columns == 0 and isinstance(titles, list) and rows and len(titles) > rows:
        hint = "give one a row: every wire is one"
        found.append(error(view, "E_GRID", "row_titles", f"{len(titles)} row_titles for {rows} rows", hint))
    each = [_pictures(giver) for giver in view.givers("images")]
    captions = captions_of(view, "captions")
    if captions is None or columns or None in each or not each:
        return found
    numbers = [count for count in each if count]
    if captions not in (1, sum(numbers), max(numbers)):
        message = f"{captions} captions for {sum(numbers)} pictures in {max(numbers)} columns"
        found.append(error(view, "E_GRID", "captions", message, "give one a picture or one a column"))
    return found


def _pictures(giver: Any) -> int | None:
    if giver.type != "image.decode":
        return None
    return pictures_of(giver, "latents")


def names_of_curves(view: Any) -> list[Problem]:
    """`image.plot` has no more names than curves."""
    if view.type != "image.plot":
        return []
    names, curves = view.settings.get("names"), view.wires.get("curves", 0)
    if not isinstance(names, list) or len(names) <= curves or not curves:
        return []
    left = len(names) - curves
    message = f"{len(names)} names for {curves} curve{'s' if curves > 1 else ''}: the last {left} stand nowhere"
    return [warning(view, "W_COUNT", "names", message, "write one name a wire")]


def batches_as_planned(view: Any) -> list[Problem]:
    """A loader takes batches as large as buckets, or leftovers in `data.latents`, were planned for."""
    if view.type not in ("data.loader", "data.latent_loader"):
        return []
    size, found = number(view, "batch_size"), []
    giver = next(iter(view.givers("data")), None)
    if giver is not None and giver.type == "data.latents":
        merged, buckets = number(giver, "batch_size"), origin(giver, "data")
        merges = buckets is not None and buckets.settings.get("leftover") == "merge"
        if merges and merged and size and merged != size:
            message = f"leftovers were merged for batches of {merged}, and this loader takes {size}"
            hint = "give data.latents and data.latent_loader the same batch_size"
            found.append(error(view, "E_DATA", "batch_size", message, hint))
    buckets = origin(view, "data")
    if buckets is None or buckets.type != "data.auto_bucket":
        return found
    planned = number(buckets, "batch_size")
    if planned and size and planned != size:
        message = (
            f"batches of {size}, and '{buckets.node}' planned its buckets for batches of {planned}: more is left over"
        )
        found.append(warning(view, "W_COUNT", "batch_size", message, "set both to the same number"))
    return found


RULES = (prompts_for_pictures, captions_below_pictures, names_of_curves, batches_as_planned)
