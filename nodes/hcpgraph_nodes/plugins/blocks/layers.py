"""Settings of adapters that differ from layer to layer, and the parameter groups that come of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from hcpgraph import GraphError, GraphErrors
from hcpgraph.errors import Problem, listed

from ...model.handles import Handle
from ..base import Plugin
from .adapter import AdapterBlock
from .selector import Asked, near_misses, select, weighted, within
from .shapes import weight_of


def by_layer(entries: Mapping[str, float], paths: Sequence[str], model: Handle, setting: str) -> dict[str, float]:
    """What selectors with numbers say of the chosen layers: of several that mean one, that with the fewest layers.

    How many layers a selector has is counted in the whole model: those with weights among and below what it matches.

    Args:
        entries: A number by selector, for the chosen layers among and below what it matches.
        paths: Names of the chosen layers.
        model: The model.
        setting: Name of the setting, for messages.

    Raises:
        GraphErrors: E_SELECTOR; E_NO_LAYER, a selector means none of the chosen layers; E_LAYERS, two of equally many
            layers mean the same one. All of them at once.
    """
    layers = model.root.layers
    chosen = {path: layers[path] for path in paths}
    with_weights = {path: layers[path] for path in weighted(layers)}
    by: dict[str, str] = {}
    sizes: dict[str, int] = {}
    ties: dict[str, tuple[str, str]] = {}
    problems = []
    for selector in entries:
        try:
            names = points_of(selector, model)
            matched = within(chosen, names, (nn.Module,))
            if not matched:
                hint = f"near misses: {', '.join(near_misses(selector, paths))}"
                message = f"'{selector}' matches none of the chosen layers"
                raise GraphError("E_NO_LAYER", message, port=setting, hint=hint)
        except GraphError as error:
            problems.append(error.problem)
            continue
        sizes[selector] = len(within(with_weights, names, (nn.Module,)))
        for path in matched:
            other = by.get(path)
            if other is not None and sizes[other] == sizes[selector]:
                ties[path] = other, selector
            elif other is None or sizes[selector] < sizes[other]:
                by[path] = selector
                ties.pop(path, None)
    first = {pair: path for path, pair in reversed(ties.items())}
    problems += [_tie(path, pair, sizes[pair[0]], setting) for pair, path in first.items()]
    if problems:
        raise GraphErrors(problems)
    return {path: entries[selector] for path, selector in by.items()}


def _tie(path: str, pair: tuple[str, str], size: int, setting: str) -> Problem:
    message = f"'{pair[0]}' and '{pair[1]}' both mean {path}, and both have {size} layers"
    return Problem("E_LAYERS", message, port=setting, hint="narrow one of them: the one with fewer layers counts")


def points_of(selector: str, model: Handle) -> list[str]:
    """Names of the layers that one selector matches, perhaps none.

    Raises:
        GraphError: E_SELECTOR.
    """
    try:
        return select(model.root.layers, [selector], Asked.of(model))
    except GraphError as error:
        if error.problem.code != "E_NO_LAYER":
            raise
        return []


def ranks_of(
    rank: float,
    entries: Mapping[str, float],
    chosen: Mapping[str, nn.Module],
    model: Handle,
) -> dict[str, int]:
    """The rank of every layer: a whole number, or a share of the layer's outputs that is rounded, but at least 1.

    Args:
        rank: Where nothing else is said.
        entries: As `by_layer` takes them.
        chosen: The layers that get an adapter, by name.
        model: The model.

    Raises:
        GraphError: E_SETTING, a rank above 1 is no whole number.
    """
    odd = [value for value in (rank, *entries.values()) if value >= 1 and value != int(value)]
    if odd:
        shown = listed(f"{value:g}" for value in odd)
        hint = "give a whole number, or a share between 0 and 1 of each layer's outputs"
        raise GraphError("E_SETTING", f"no rank: {shown}", port="rank" if odd[0] == rank else "ranks", hint=hint)
    special = by_layer(entries, list(chosen), model, "ranks")
    return {path: _whole(special.get(path, rank), layer) for path, layer in chosen.items()}


def _whole(rank: float, layer: nn.Module) -> int:
    return int(rank) if rank >= 1 else max(1, round(rank * len(weight_of(layer))))


def groups(
    plugin: Plugin,
    owner: str,
    *,
    lr: float | None,
    weight_decay: float | None,
    lrs: Mapping[str, float],
    fast: float,
) -> tuple[dict[str, Any], ...]:
    """The parameter groups of a plugin, of one learning rate and weight decay each.

    The magnitudes of a decomposed adapter have no weight decay: it would shrink the layer's own weight.

    Args:
        plugin: The plugin.
        owner: Name of the groups.
        lr: Learning rate where `lrs` says nothing; none given: the optimizer's.
        weight_decay: None given: the optimizer's.
        lrs: Learning rates by layer.
        fast: Factor of the learning rate of what LoRA+ makes faster (Hayou et al. 2024, "LoRA+",
            https://arxiv.org/abs/2402.12354).
    """
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path, block in plugin.blocks.items():
        quick = block.fast if isinstance(block, AdapterBlock) else ()
        for name, parameter in block.named_parameters():
            if not parameter.requires_grad:
                continue
            options = {
                "lr": lrs.get(path, lr),
                "lr_scale": fast if name in quick and fast != 1 else None,
                "weight_decay": 0.0 if isinstance(block, AdapterBlock) and name == "dora_scale" else weight_decay,
            }
            said = {key: value for key, value in options.items() if value is not None}
            group = made.setdefault(tuple(options.values()), {"name": owner, "params": {}, **said})
            group["params"][f"{path}.{name}"] = parameter
    return tuple(made.values())
