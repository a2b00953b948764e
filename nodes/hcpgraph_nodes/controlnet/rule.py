"""Torch-free: the family of a ControlNet's file, and the rule of `controlnet.apply`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hcpgraph.errors import Problem

from ..families.table import families, interface


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


def family_has_controlnets(view: Any) -> list[Problem]:
    """The denoiser of `controlnet.new` and `controlnet.apply` is of a family that ControlNets are made for."""
    if view.type not in ("controlnet.new", "controlnet.apply"):
        return []
    family = view.facts.get("denoiser", {}).get("family")
    if family not in families() or interface(family, "controlnet") is not None:
        return []
    known = ", ".join(name for name in families() if interface(name, "controlnet") is not None)
    message = f"there are no ControlNets here for models of the family {family}"
    return [Problem("E_FAMILY", message, node=view.node, port="denoiser", hint=f"families that have them: {known}")]


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
