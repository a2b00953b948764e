"""Nodes that write to the same place."""

from __future__ import annotations

from typing import Any

from hcpgraph.errors import Problem

from .told import around, error, warning


def places_differ(view: Any) -> list[Problem]:
    """Two nodes do not write the same file, and a file is not replaced in every pass of a repetition."""
    found: list[Problem] = []
    for port in view.writes:
        own = _place(view, port)
        if own is None:
            continue
        repeated = [owner for owner in around(view) if owner.type in ("flow.repeat", "flow.for_each")]
        if view.settings.get("overwrite") and repeated:
            message = f"every pass of '{repeated[0].node}' replaces what the one before wrote to '{own[0]}'"
            hint = "turn overwrite off: the files get numbers then"
            found.append(warning(view, "W_SAME_PLACE", port, message, hint))
        for other in view.others():
            if any(_place(other, name) == own for name in other.writes) and not (view.optional and other.optional):
                found.append(_both(view, other, port, own[0]))
    return found


def _place(view: Any, port: str) -> tuple[str, bool, str] | None:
    """Where a node writes, and what is put behind the name: the step, by image.log or by a loop."""
    uri = view.settings.get(port)
    if not isinstance(uri, str) or not uri:
        return None
    stepped = any(owner.type == "train.loop" for owner in around(view)) and not view.settings.get("overwrite")
    root, _, name = uri.replace("\\", "/").partition(":")
    parts = [part for part in name.strip().casefold().split("/") if part not in ("", ".")]
    return f"{root}:{'/'.join(parts)}", stepped, view.type if view.type == "image.log" else ""


def _both(view: Any, other: Any, port: str, place: str) -> Problem:
    replaces = any("overwrite" not in one.settings or one.settings["overwrite"] for one in (view, other))
    if replaces:
        message = f"'{view.node}' and '{other.node}' both write '{place}', and one replaces what the other wrote"
        return error(other, "E_SAME_PLACE", port, message, "give each a name of its own")
    message = (
        f"'{view.node}' and '{other.node}' both write '{place}': which of them gets a number is the order of the run"
    )
    return warning(other, "W_SAME_PLACE", port, message, "give each a name of its own")


RULES = (places_differ,)
