"""Values that are known while planning: torch-free value nodes whose result feeds a setting.

Every node is evaluated once, and what all evaluations take in and give is bounded (docs/adr/016-bounded-folding.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..declaring.registry import Registry
from ..document.canonical import canonical_bytes
from ..errors import GraphError, GraphErrors
from .flat import Flat, Source
from .order import BEGIN, Order

MAX_BYTES = 8 * 2**20
"""Bytes of JSON that the values of one graph may have: settings, inputs and results of all evaluations together."""


def fold(flat: Flat, order: Order, settings: dict[str, dict[str, Any]], registry: Registry) -> None:
    """Run the fold nodes upstream of settings and put their results in.

    A node that fails, gives what is not JSON, or with which it is too much, is a problem of that node; settings that do
    not fit are left to the check of settings.
    """
    needed = _needed(flat)
    values: dict[Source, Any] = {}
    sizes: dict[Source, int] = {}
    left = MAX_BYTES
    for id, part in order.sorted:
        node = flat.nodes[id]
        if part != BEGIN or node.spec is None:
            continue
        for name, source in node.wired.items():
            settings[id].pop(name, None)
            if source in values:
                settings[id][name] = values[source]
        if id not in needed or not all(source in values for source in node.sources()):
            continue
        left -= len(canonical_bytes(settings[id])) + sum(sizes[source] for source in node.sources())
        if left < 0:
            _too_much(flat, id)
            needed = set()
            continue
        try:
            impl = registry.impl(node.type)
        except GraphErrors as errors:
            flat.problems += (replace(problem, node=id) for problem in errors.problems)
            continue
        ports = []
        for port in node.spec.inputs:
            found = [values[source] for source in node.inputs.get(port.name, ())]
            default = impl.port_defaults[port.name]
            ports.append(tuple(found) if port.many else found[0] if found else default)
        try:
            given = impl.settings(settings[id])
        except ValueError:
            continue
        try:
            result = impl.target(*ports, **given)
            size = len(canonical_bytes(result))
        except GraphError as error:
            flat.error(error.problem.code, error.problem.message, id, error.problem.port, error.problem.hint)
            continue
        except Exception as error:
            flat.error("E_VALUE", f"{type(error).__name__}: {error}", id, hint=node.spec.help)
            continue
        outputs = result if node.spec.multi else (result,)
        for port, value in zip(node.spec.outputs, outputs, strict=True):
            values[id, port.name], sizes[id, port.name] = value, size


def _too_much(flat: Flat, id: str) -> None:
    message = f"the values that feed settings have more than {MAX_BYTES // 2**20} MiB with this one"
    flat.error("E_VALUE_SIZE", message, id, hint="join or repeat less of them, or write the value into the setting")


def _needed(flat: Flat) -> set[str]:
    """Fold nodes upstream of some setting."""
    stack = [source[0] for node in flat.nodes.values() for source in node.wired.values()]
    seen: set[str] = set()
    while stack:
        id = stack.pop()
        node = flat.nodes[id]
        if id in seen or node.spec is None or not node.spec.fold:
            continue
        seen.add(id)
        stack += [source[0] for source in node.sources()]
    return seen
