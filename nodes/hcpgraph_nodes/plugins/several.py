"""One node, several parts of a model: it is called once for each part that its selectors name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hcpgraph import Context, GraphErrors, Problem

from ..model.bundle import Model, part_context
from ..selectors import components, split
from ..types import Params
from .attach import Adapted
from .base import Adapter

LISTS, NUMBERS = ("layers", "to_layers"), ("ranks", "lrs")
"""Settings that are selectors, and those that map selectors to numbers."""


def several(attach: Callable[..., Adapted[Any]], ctx: Context, model: Model, **settings: Any) -> Adapted[Any]:
    """What a node that attaches plugins makes of a whole model.

    Each part has random numbers of its own; those of the denoiser are the same as if it stood there alone.

    Args:
        attach: The node's function, for one part.
        ctx: The node's context.
        model: The parts that the selectors name, or more.
        settings: All settings; of selectors each part gets those that name it.

    Raises:
        GraphError: E_NO_MODEL, the model has not a part that is named.
        GraphErrors: E_LAYERS, `ranks`, `lrs` or `to_layers` name a part that `layers` does not.
    """
    named = components(settings["layers"])
    refuse_strangers(named, settings)
    made = {}
    for name in named:
        given = {key: own(key, value, name) for key, value in settings.items()}
        made[name] = attach(part_context(ctx, name), model.part(name), **given)
    return joined(model, made)


def joined(model: Model, made: Mapping[str, Adapted[Any]]) -> Adapted[Any]:
    """The model with the changed parts, all their parameters, and one adapter of them all."""
    first, *rest = (each.adapter for each in made.values())
    adapter = Adapter(first.plugin, first.component, first.family, first.prediction_type, first.config, tuple(rest))
    params = Params(tuple(group for each in made.values() for group in each.params.groups))
    return Adapted(model.changed({name: each.model for name, each in made.items()}), params, adapter)


def refuse_strangers(named: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Every selector beside `layers` is about a part that `layers` names.

    Raises:
        GraphErrors: E_LAYERS.
    """
    problems = [
        Problem(
            "E_LAYERS",
            f"'{selector}' is about the {split(selector).component or 'denoiser'}, of which layers names nothing",
            port=key,
            hint="begin it with one of: " + ", ".join(f"{name}:" for name in named),
        )
        for key in ("to_layers", *NUMBERS)
        for selector in settings.get(key, ())
        if (split(selector).component or "denoiser") not in named
    ]
    if problems:
        raise GraphErrors(problems)


def own(key: str, value: Any, name: str) -> Any:
    """Of a setting what is about one part of a model."""
    if key in LISTS:
        return [selector for selector in value if (split(selector).component or "denoiser") == name]
    if key in NUMBERS:
        return {s: number for s, number in value.items() if (split(s).component or "denoiser") == name}
    return value
