"""What a training loop and the nodes in it and behind it must agree on."""

from __future__ import annotations

from typing import Any

from hcpgraph.errors import Problem

from .told import around, error, number, origin, warning


def comes_due(view: Any) -> list[Problem]:
    """`train.every` and `train.validate` run at least once after the first step."""
    if view.type not in ("train.every", "train.validate"):
        return []
    steps = number(view, "steps")
    loop = next((owner for owner in around(view) if owner.type == "train.loop"), None)
    if steps is None or loop is None or loop.total is None or steps <= loop.total:
        return []
    start = view.type == "train.validate" or view.settings.get("at_start")
    when = "only before the first step" if start else "never"
    message = f"it runs every {steps} steps, and '{loop.node}' does {loop.total}: {when}"
    return [warning(view, "W_NEVER", "steps", message, f"set steps to {loop.total} or less")]


def average_is_kept(view: Any) -> list[Problem]:
    """`train.averaged` and `model.average` give out what an `optim.ema` has kept."""
    if view.type == "model.average":
        if any(_through(giver, "optim.ema") is not False for giver in view.givers("optimizer")):
            return []
        message = "the optimizer keeps no average: it does not go through optim.ema"
        return [error(view, "E_EMA", "optimizer", message, "wire what optim.ema gives")]
    if view.type != "train.averaged":
        return []
    (loop,) = view.givers("trained") or (None,)
    if loop is None or loop.type != "train.loop" or not loop.givers("optimizer"):
        return []
    if any(_through(giver, "optim.ema") is not False for giver in loop.givers("optimizer")):
        return []
    message = f"'{loop.node}' keeps no average: none of its optimizers goes through optim.ema"
    return [error(view, "E_EMA", "trained", message, "put optim.ema between the optimizer and the loop")]


def _through(view: Any, wanted: str) -> bool | None:
    """Whether an optimizer came through a node of a type; None where that cannot be told."""
    while view.type != wanted:
        if "optimizer" in view.connected:
            givers = view.givers("optimizer")
        elif view.type.startswith("optim."):
            return False
        else:
            return None
        if len(givers) != 1:
            return None
        view = givers[0]
    return True


def average_is_read(view: Any) -> list[Problem]:
    """The average of `optim.ema` is given out by a `train.averaged` or a `model.average`, or nobody ever sees it."""
    if view.type != "optim.ema":
        return []
    loops = {loop.node for loop in view.loops()}
    if not loops:
        return []
    for other in view.everything():
        if other.type == "model.average" and any(giver.node == view.node for giver in other.givers("optimizer")):
            return []
        if other.type == "train.averaged" and any(giver.node in loops for giver in other.givers("trained")):
            return []
        if "trained" in other.connected and other.type not in ("flow.after", "train.averaged"):
            return []
    message = "the moving average is kept and never read: what is saved are the last weights"
    hint = "put train.averaged in the place of flow.after in front of what is saved"
    return [warning(view, "W_UNREAD", None, message, hint)]


def rate_has_an_end(view: Any) -> list[Problem]:
    """A polynomial comes down to 1e-7, which the learning rate must be above (diffusers)."""
    if view.type != "optim.schedule" or view.settings.get("kind") != "polynomial":
        return []
    optimizer = origin(view, "optimizer")
    rate = None if optimizer is None else optimizer.settings.get("lr")
    if optimizer is None or not isinstance(rate, int | float) or rate > 1e-7:
        return []
    message = f"a polynomial comes down to 1e-7, and the learning rate of '{optimizer.node}' is {rate:g}"
    return [error(view, "E_SETTING", "kind", message, "raise the learning rate, or take another curve")]


RULES = (comes_due, average_is_kept, average_is_read, rate_has_an_end)
