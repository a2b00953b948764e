"""How a rule tells a pair that does not agree, and how it finds the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hcpgraph.errors import Problem

HANDED = {
    "flow.after": "value",
    "flow.reroute": "value",
    "train.averaged": "value",
    "plugin.": "model",
    "word.": "model",
    "model.average": "value",
    "model.compile": "model",
    "model.load_part": "model",
    "model.reference": "model",
    "model.trainable": "model",
    "condition.": "conditioning",
    "controlnet.apply": "denoiser",
    "vae.calibrate": "vae",
    "data.latents": "data",
    "optim.ema": "optimizer",
    "optim.schedule": "optimizer",
    "optim.custom_schedule": "optimizer",
}
"""Nodes, by type or category, and the port whose value they give on, changed or not."""


def warning(view: Any, code: str, port: str | None, message: str, hint: str) -> Problem:
    """A pair that works, but hardly as it was meant."""
    return Problem(code, message, node=view.node, port=port, hint=hint, severity="warning")


def error(view: Any, code: str, port: str | None, message: str, hint: str) -> Problem:
    """A pair that cannot work."""
    return Problem(code, message, node=view.node, port=port, hint=hint)


def number(view: Any, name: str) -> int | None:
    """A whole number that is set, if it is known."""
    value = view.settings.get(name)
    return value if type(value) is int else None


def origin(view: Any, port: str, stop: str = "\0") -> Any | None:
    """The node from which what comes in at a port is handed on; None if nothing is wired or it comes from several.

    Args:
        stop: The beginning of types that count as an origin although they hand something on.
    """
    seen: set[str] = set()
    while True:
        givers = view.givers(port)
        if len(givers) != 1 or givers[0].node in seen:
            return None
        view = givers[0]
        seen.add(view.node)
        handed = HANDED.get(view.type) or HANDED.get(view.type.partition(".")[0] + ".")
        if handed is None or view.type.startswith(stop):
            return view
        port = handed


def around(view: Any) -> Iterator[Any]:
    """The owners of the regions around a node, the innermost first."""
    while (view := view.owner) is not None:
        yield view
