"""The torch-free rules of the nodes of `tensor.`: what they refuse themselves is known before the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hcpgraph.errors import GraphError, Problem


def bounds(function: str, low: Any, high: Any) -> list[Problem]:
    """What is wrong with the bounds that are written for a function of tensor.map."""
    given = [name for name, bound in (("low", low), ("high", high)) if bound is not None]
    if function != "clamp":
        hint = "set function to clamp, or leave it empty"
        return [Problem("E_SETTING", f"{function} does not read {name}", port=name, hint=hint) for name in given]
    if not given:
        hint = "set low, high or both"
        return [Problem("E_SETTING", "clamp without bounds changes nothing", port="low", hint=hint)]
    if low is not None and high is not None and low > high:
        return [Problem("E_RANGE", f"low = {low:g} is above high = {high:g}", port="low", hint="exchange them")]
    return []


def one_weight_a_wire(weights: list[float], wires: int) -> list[Problem]:
    """tensor.mix has one weight a wire, or none."""
    if not weights or not wires or len(weights) == wires:
        return []
    hint = "write one weight a wire, or none for 1 each"
    return [Problem("E_WEIGHTS_COUNT", f"{len(weights)} weights for {wires} wires", port="weights", hint=hint)]


def one_size(wired: bool, zoom: Any) -> list[Problem]:
    """The size of tensor.resize comes from a wire or from a zoom, not from both."""
    if wired == (zoom is None):
        return []
    message = "the size is that of the wire at like, and zoom is not read" if wired else "nothing says the new size"
    hint = "leave zoom empty" if wired else "wire something of that size to like, or set zoom"
    return [Problem("E_SETTING", message, port="zoom" if wired else "like", hint=hint)]


def one_division(parts: int, size: int | None) -> list[Problem]:
    """tensor.split goes by equal parts or by a size."""
    if size is None or parts == 2:
        return []
    message = f"size {size} says where it is split, and {parts} parts are not read"
    return [Problem("E_SETTING", message, port="parts", hint="leave size empty, or parts at 2")]


def refuse(problems: list[Problem]) -> None:
    """Raises the first of the problems, if there is one, as a GraphError."""
    for problem in problems[:1]:
        raise GraphError(problem.code, problem.message, port=problem.port, hint=problem.hint)


CHECKS: dict[str, tuple[tuple[str, ...], Callable[..., list[Problem]]]] = {
    "tensor.map": (("function", "low", "high"), lambda view, *said: bounds(*said)),
    "tensor.mix": (("weights",), lambda view, weights: one_weight_a_wire(weights, view.wires.get("values", 0))),
    "tensor.resize": (("zoom",), lambda view, zoom: one_size("like" in view.connected, zoom)),
    "tensor.split": (("parts", "size"), lambda view, *said: one_division(*said)),
}
"""Node type -> the settings that its rule is about, all known before the run, and the rule."""


def settings_agree(view: Any) -> list[Problem]:
    """Settings and wires of a node of `tensor.` agree."""
    names, check = CHECKS.get(view.type, ((), lambda view: []))
    if not set(names) <= view.settings.keys():
        return []
    problems = check(view, *(view.settings[name] for name in names))
    return [Problem(one.code, one.message, view.node, one.port, one.hint) for one in problems]
