"""What a call changes in a graph before it runs: settings, seeds, precision; and defaults, written out for keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..declaring.registry import Registry
from ..errors import GraphErrors, Problem, did_you_mean
from ..rng import SEED_MAX
from .fileformat import RunOptions, shown
from .graph import Graph

PRECISIONS = ("fp32", "bf16", "fp16")


def with_settings(
    graph: Graph,
    settings: Mapping[str, Any],
    registry: Registry,
    *,
    seed: int | None = None,
    precision: str | None = None,
) -> Graph:
    """A copy with some settings changed: `node.setting`, or a name of the root interface.

    Args:
        seed: Sets every seed of the graph, and that of the run.
        precision: Sets the precision of the run.

    Raises:
        GraphErrors: every name that does not exist, a value that cannot be.
    """
    problems: list[Problem] = []
    if seed is not None and (type(seed) is not int or not 0 <= seed <= SEED_MAX):
        problems.append(Problem("E_SEED", f"a seed is 0 … {SEED_MAX}, not {seed!r}"))
    if precision is not None and precision not in PRECISIONS:
        problems.append(Problem("E_CALL", f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}"))
    if problems:
        raise GraphErrors(problems)
    if not settings and seed is None and precision is None:
        return graph
    changed = graph.copy()
    for name, value in settings.items():
        if name not in changed.interface.inputs and "." not in name:
            problems.append(_no_input(name, changed))
            continue
        for target in changed.interface.inputs.get(name, [name]):
            try:
                changed.set(target, value)
            except GraphErrors as errors:
                problems += errors.problems
    if problems:
        raise GraphErrors(problems)
    if seed is not None:
        _set_seeds(changed, seed, registry)
    changed.run = RunOptions(
        seed=changed.run.seed if seed is None else seed,
        precision=changed.run.precision if precision is None else precision,  # type: ignore[arg-type]
    )
    return changed


def _no_input(name: str, graph: Graph) -> Problem:
    """The problem of a name that is neither an input of the graph nor a setting of a node."""
    if name in graph.nodes:
        hint = f"a setting of that node is written {name}.SETTING"
    else:
        hint = did_you_mean(name, graph.interface.inputs, "inputs")
    return Problem("E_SETTING_UNKNOWN", f"the graph has no input {shown(name)}", hint=hint)


def written_out(graph: Graph, registry: Registry) -> Graph:
    """The graph with the defaults of every known node of the present version written out."""
    fresh = graph.copy()
    for _, body in fresh.bodies():
        for entry in body.nodes.values():
            spec = None if entry.graph else registry.find(entry.type)
            if spec is not None and spec.version == entry.version:
                entry.settings = {**spec.defaults, **entry.settings}
    return fresh


def _set_seeds(graph: Graph, seed: int, registry: Registry) -> None:
    """Write a seed into every seed of a graph, those in subgraphs and those that an instance overrides included."""
    seeds: dict[str, set[str]] = {}

    def names(type_id: str) -> set[str]:
        """Settings of a node or inputs of a subgraph that are seeds."""
        if type_id not in seeds:
            spec = registry.find(type_id)
            seeds[type_id] = set(spec.seeds) if spec else set()
            body = graph.graphs.get(type_id.removeprefix("graph:")) if spec is None else None
            if body is not None:
                for name, targets in body.interface.inputs.items():
                    places = [target.split(".") for target in targets]
                    if any(id in body.nodes and port in names(body.nodes[id].type) for id, port, *_ in places):
                        seeds[type_id].add(name)
        return seeds[type_id]

    for _, drawing in graph.bodies():
        for node in drawing.nodes.values():
            known = names(node.type)
            given = known if node.graph is None else known & node.settings.keys()
            node.settings.update(dict.fromkeys(given, seed))
