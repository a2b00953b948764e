"""What `train.objective`, its optimizers and its training loop must agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hcpgraph.errors import Problem

from ..train.due import Due, count, idle
from .told import error

OBJECTIVE = "train.objective"


def share(objectives: Sequence[Mapping[str, Any]], steps: int) -> int | None:
    """How many of the steps of a loop an optimizer does that these objectives name; None if it is not known."""
    dues = [Due.of(settings) for settings in objectives]
    known = [due for due in dues if due is not None]
    return count(known, steps) if len(known) == len(dues) else None


SHARES = {OBJECTIVE: share}


def goes_to_a_loop(view: Any) -> list[Problem]:
    """An objective is read by the training loop around it, as it is, and by nobody else."""
    if view.type != OBJECTIVE:
        return []
    found = []
    stop, start = view.settings.get("stop"), view.settings.get("start")
    if isinstance(stop, int) and isinstance(start, int) and stop <= start:
        message = f"it begins at step {start} and stops at step {stop}: it is never due"
        found.append(error(view, "E_RANGE", "stop", message, "raise stop, or leave it empty"))
    for other in view.everything():
        ports = [port for port in other.connected if any(giver.node == view.node for giver in other.givers(port))]
        if ports:
            message = f"'{other.node}.{ports[0]}' takes it for a mere loss, and its optimizers would be forgotten"
            found.append(error(view, "E_OBJECTIVE", "loss", message, f"put '{view.node}' behind '{other.node}'"))
    owner = view.owner
    if not found and (owner is None or all(giver.node != view.node for giver in owner.givers("loss"))):
        message = "it says which optimizers a loss is for, and goes to no training loop"
        found.append(error(view, "E_OBJECTIVE", "loss", message, "wire it to loss of the training loop around it"))
    return found


def names_optimizers_of_its_loop(view: Any) -> list[Problem]:
    """Every optimizer that an objective names is one of its loop, and every one of the loop has a loss."""
    if view.type != "train.loop":
        return []
    losses = view.givers("loss")
    objectives = [giver for giver in losses if giver.type == OBJECTIVE]
    if not objectives:
        return []
    own = {giver.node for giver in view.givers("optimizer")}
    found, named = [], set()
    for each in objectives:
        for giver in each.givers("optimizers"):
            named.add(giver.node)
            if giver.node not in own:
                message = f"'{giver.node}' is no optimizer of '{view.node}', which would never step it"
                hint = f"wire the output that goes to '{view.node}.optimizer': behind its schedule and its average"
                found.append(error(each, "E_OBJECTIVE", "optimizers", message, hint))
    if len(objectives) < len(losses) or found:
        return found
    for idler in sorted(own - named):
        message = f"no objective names '{idler}': it would never step"
        found.append(error(view, "E_OBJECTIVE", "optimizer", message, "wire it to an objective, or take it out"))
    dues = [Due.of(each.settings) for each in objectives]
    known = [due for due in dues if due is not None]
    if view.total is not None and len(known) == len(dues) and (step := idle(known, view.total)) is not None:
        message = f"no objective is due in step {step}"
        hint = "let one of them be due in every step, or lower steps"
        found.append(error(view, "E_OBJECTIVE", "loss", message, hint))
    return found


RULES = (goes_to_a_loop, names_optimizers_of_its_loop)
