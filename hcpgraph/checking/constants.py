"""Values that are known while planning: torch-free value nodes whose result feeds a setting.

Every node is evaluated once, and what all evaluations take in and give is bounded (docs/adr/016-bounded-folding.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..declaring.node import Impl
from ..declaring.registry import Registry
from ..declaring.spec import PortSpec
from ..document.canonical import canonical_bytes
from ..errors import GraphError, GraphErrors
from .flat import Flat, FlatNode, Several, Source
from .order import BEGIN, Order
from .sweeps import MAX_PASSES, joined, said

MAX_BYTES = 8 * 2**20
"""Bytes of JSON that the values of one graph may have: settings, inputs and results of all evaluations together."""


def fold(flat: Flat, order: Order, settings: dict[str, dict[str, Any]], registry: Registry) -> None:
    """Run the fold nodes upstream of settings and put their results in.

    What comes from the items of a list that is known, in a region that goes through it, is worked out for each of them
    and kept with the node (`FlatNode.swept`). A node that fails, gives what is not JSON, or with which it is too much,
    is a problem of that node; settings that do not fit are left to the check of settings.
    """
    needed = _needed(flat)
    values: dict[Source, Several] = {}
    sizes: dict[Source, int] = {}
    left = MAX_BYTES
    for id, part in order.sorted:
        node = flat.nodes[id]
        if part != BEGIN or node.spec is None:
            continue
        for name, source in node.wired.items():
            settings[id].pop(name, None)
            if (told := values.get(source)) is not None:
                if told.owners:
                    node.swept[name] = told
                else:
                    settings[id][name] = told.values[()]
        for entry in node.spec.entries:
            if entry.each and (items := _items(node, entry, values)) is not None:
                values[id, entry.name] = items
                sizes[id, entry.name] = sum(sizes[source] for source in node.inputs[entry.each])
        if id not in needed or not all(source in values for source in node.sources()):
            continue
        if (together := joined([values[source] for source in node.sources()])) is None:
            continue
        owners, rows = together
        left -= len(canonical_bytes(settings[id])) * len(rows) + sum(sizes[source] for source in node.sources())
        if left < 0:
            _too_much(flat, id)
            needed = set()
            continue
        try:
            impl = registry.impl(node.type)
        except GraphErrors as errors:
            flat.problems += (replace(problem, node=id) for problem in errors.problems)
            continue
        results: dict[tuple[int, ...], tuple[Any, ...]] = {}
        size = 0
        for numbers, row in rows.items():
            given = dict(zip(node.sources(), row, strict=True))
            swept = {name: given[node.wired[name]] for name in node.swept}
            at = dict(zip(owners, numbers, strict=True))
            if (result := _evaluate(flat, node, impl, given, {**settings[id], **swept}, at)) is None:
                break
            results[numbers] = result[0]
            size += result[1]
        if len(results) == len(rows):
            for place, port in enumerate(node.spec.outputs):
                values[id, port.name] = Several(owners, {numbers: each[place] for numbers, each in results.items()})
                sizes[id, port.name] = size


def _items(node: FlatNode, entry: PortSpec, values: Mapping[Source, Several]) -> Several | None:
    """What an entry is in the passes of its region."""
    wires = node.inputs.get(entry.each, ())
    known = values.get(wires[0]) if len(wires) == 1 else None
    if known is None:
        return None
    owners = tuple(sorted((*known.owners, node.id)))
    place = owners.index(node.id)
    found = {}
    for numbers, items in known.values.items():
        if not isinstance(items, list):
            return None
        for number, item in enumerate(items):
            found[(*numbers[:place], number, *numbers[place:])] = number if entry.number else item
    return Several(owners, found) if len(found) <= MAX_PASSES else None


def _evaluate(
    flat: Flat,
    node: FlatNode,
    impl: Impl,
    values: Mapping[Source, Any],
    settings: Mapping[str, Any],
    at: dict[str, int],
) -> tuple[tuple[Any, ...], int] | None:
    """What a node gives, and its bytes as JSON; None if it fails or its settings do not fit."""
    assert node.spec is not None
    ports = []
    for port in node.spec.inputs:
        found = [values[source] for source in node.inputs.get(port.name, ())]
        default = impl.port_defaults[port.name]
        ports.append(_many(port, found) if port.many else found[0] if found else default)
    try:
        given = impl.settings(settings)
    except ValueError:
        return None
    where = f" ({said(at)})" if at else ""
    try:
        result = impl.target(*ports, **given)
        size = len(canonical_bytes(result))
    except GraphError as error:
        flat.error(error.problem.code, error.problem.message + where, node.id, error.problem.port, error.problem.hint)
        return None
    except Exception as error:
        flat.error("E_VALUE", f"{type(error).__name__}: {error}{where}", node.id, hint=node.spec.help)
        return None
    return (tuple(result) if node.spec.multi else (result,)), size


def _many(port: PortSpec, values: list[Any]) -> tuple[Any, ...]:
    """What a port for many wires gets: of a list its items, unless it takes lists."""
    if port.ref.variable or port.ref.name in ("any", "list"):
        return tuple(values)
    return tuple(item for value in values for item in (value if isinstance(value, list) else [value]))


def _too_much(flat: Flat, id: str) -> None:
    message = f"the values that feed settings have more than {MAX_BYTES // 2**20} MiB with this one"
    flat.error("E_VALUE_SIZE", message, id, hint="join or repeat less of them, or write the value into the setting")


def _needed(flat: Flat) -> set[str]:
    """Fold nodes upstream of some setting, also through the items of a region's list."""
    stack = [source for node in flat.nodes.values() for source in node.wired.values()]
    seen: set[Source] = set()
    found: set[str] = set()
    while stack:
        source = stack.pop()
        node = flat.nodes[source[0]]
        if source in seen or node.spec is None:
            continue
        seen.add(source)
        if source[1] in node.spec.entry:
            stack += node.inputs.get(node.spec.entry[source[1]].each, ())
        elif node.spec.fold:
            found.add(node.id)
            stack += node.sources()
    return found
