"""Torch-free: the family of a ControlNet's file, and the rule of `controlnet.apply`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hcpgraph.errors import Problem


def control_family(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The model family that `family` names, or that the ControlNet at `path` was made for."""
    named = settings.get("family", "auto")
    if named != "auto":
        return str(named)
    path = settings.get("path")
    if not isinstance(path, str):
        return None
    from .probe import probe_control

    return probe_control(resolve(path))


def acts_at_all(view: Any) -> list[Problem]:
    """`start` lies before `end`."""
    start, end = view.settings.get("start"), view.settings.get("end")
    if view.type != "controlnet.apply" or not isinstance(start, int | float) or not isinstance(end, int | float):
        return []
    if start < end:
        return []
    return [
        Problem(
            "E_RANGE",
            f"no step of sampling lies between start = {start:g} and end = {end:g}",
            node=view.node,
            port="end",
            hint="start is a smaller share of the steps than end",
        )
    ]
