"""How long trainings and learning rates are, and what contradicts itself there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from hcpgraph.errors import Problem

from ..optim.curves import ENDING, depends, goes, named, warmup

Settings = Mapping[str, Any]


def steps_of_loop(settings: Settings) -> int | Mapping[str, Any] | None:
    """Steps of a training loop; with epochs only the run knows them."""
    steps, epochs = settings.get("steps"), settings.get("epochs")
    if isinstance(steps, int) and epochs is None:
        return steps
    return {"epochs": epochs} if epochs is not None else None


def passes_of_repeat(settings: Settings) -> int | None:
    times = settings.get("times")
    return times if isinstance(times, int) else None


def passes_of_for_each(settings: Settings) -> int | None:
    """With equal draws every item begins at step 0 again; else the number of items counts, which the run knows."""
    return 1 if settings.get("draws") == "equal" else None


PASSES: dict[str, Callable[[Settings], int | Mapping[str, Any] | None]] = {
    "train.loop": steps_of_loop,
    "flow.repeat": passes_of_repeat,
    "flow.for_each": passes_of_for_each,
}
LENGTHS: dict[str, dict[str, Callable[[Settings], bool]]] = {
    "optim.schedule": {"total_steps": depends},
    "optim.custom_schedule": {"total_steps": named},
    "value.curve": {"over": goes},
}


def warmup_fits(view: Any) -> list[Problem]:
    """The warm-up of `optim.schedule` is a share or whole steps, and leaves steps for the rest."""
    if view.type != "optim.schedule":
        return []
    kind, asked, total = (view.settings.get(name) for name in ("kind", "warmup_steps", "total_steps"))
    if not isinstance(asked, int | float):
        return []
    if asked >= 1 and asked != int(asked):
        message = f"a warm-up of {asked:g} steps is no whole number"
        hint = "below 1 it is a share of all steps, from 1 on whole steps"
        return [Problem("E_SETTING", message, node=view.node, port="warmup_steps", hint=hint)]
    if kind == "constant" and asked > 0:
        return [
            Problem(
                "W_LENGTH",
                f"a warm-up of {asked:g} has no effect: the curve is constant from the first step on",
                node=view.node,
                port="warmup_steps",
                hint="set kind to constant_with_warmup, or warmup_steps to 0",
                severity="warning",
            )
        ]
    written = type(total) is int and total > 0 and not any(one.said is None for one in view.lengths)
    known = total if written else next((one.steps for one in view.lengths if one.setting == "total_steps"), None)
    first = warmup(asked, known) if known else 0
    if not known or known > first:
        return []
    if written and kind in ENDING:
        return [
            Problem(
                "E_SETTING",
                f"'{kind}' comes down over total_steps, which is {known} with {first} of warm-up",
                node=view.node,
                port="total_steps",
                hint="set total_steps to auto, and warmup_steps to a share such as 0.05",
            )
        ]
    return [
        Problem(
            "W_LENGTH",
            f"the warm-up takes {first} steps, and the training has {known}",
            node=view.node,
            port="warmup_steps",
            hint="take fewer, or a share of all steps, such as 0.05",
            severity="warning",
        )
    ]


def length_is_read(view: Any) -> list[Problem]:
    """A written length of `optim.custom_schedule` goes to an argument of the class."""
    if view.type != "optim.custom_schedule" or named(view.settings) or view.settings.get("total_steps") == "auto":
        return []
    message = f"total_steps {view.settings.get('total_steps')} is read by nothing: steps_argument is empty"
    hint = "name the argument of the class in steps_argument, or set total_steps to auto"
    return [Problem("W_LENGTH", message, node=view.node, port="total_steps", hint=hint, severity="warning")]


def steps_or_epochs(view: Any) -> list[Problem]:
    """`train.loop` is as long as its steps or its epochs say, and epochs need a loader."""
    if view.type != "train.loop" or not {"steps", "epochs"} <= view.settings.keys():
        return []
    steps, epochs = view.settings["steps"], view.settings["epochs"]
    if steps is not None and epochs is not None:
        message = f"{steps} steps and {epochs:g} epochs are both set: which of them ends the training?"
        hint = "leave one of them empty (null)"
    elif steps is None and epochs is None:
        message, hint = "neither steps nor epochs are set", "set one of them"
    elif epochs is not None and "loader" not in view.connected:
        message, hint = f"{epochs:g} epochs of what?", "wire the loader whose batches the region reads to 'loader'"
    else:
        return []
    return [Problem("E_SETTING", message, node=view.node, port="epochs", hint=hint)]


def points_rise(view: Any) -> list[Problem]:
    """The points of `value.at_step` stand in the order of their steps."""
    points = view.settings.get("points")
    if view.type != "value.at_step" or not isinstance(points, list):
        return []
    steps = [point[0] for point in points if isinstance(point, list) and point]
    wrong = next((later for first, later in pairwise(steps) if not first < later), None)
    if wrong is None:
        return []
    message = f"step {wrong} stands behind a later one, or twice"
    return [Problem("E_SETTING", message, node=view.node, port="points", hint="write the points by rising steps")]


def curve_can_be(view: Any) -> list[Problem]:
    """`value.curve`: a warm-up is a share or whole steps and leaves steps; an exponential curve does not reach zero."""
    if view.type != "value.curve":
        return []
    shape, start, end, asked, over = (
        view.settings.get(name) for name in ("shape", "start", "end", "warmup_steps", "over")
    )
    found = []
    if isinstance(asked, int | float) and asked >= 1 and (asked != int(asked) or (type(over) is int and over <= asked)):
        message = f"a warm-up of {asked:g} steps " + ("is no whole number" if asked != int(asked) else f"of {over}")
        hint = "below 1 it is a share of all steps, from 1 on whole steps, fewer than the curve has"
        found.append(Problem("E_SETTING", message, node=view.node, port="warmup_steps", hint=hint))
    if shape == "exponential" and all(isinstance(one, int | float) for one in (start, end)) and start * end <= 0:
        message, hint = f"an exponential curve cannot go from {start:g} to {end:g}", "same sign, and none zero"
        found.append(Problem("E_SETTING", message, node=view.node, port="end", hint=hint))
    return found


RULES = (points_rise, curve_can_be, warmup_fits, length_is_read, steps_or_epochs)
