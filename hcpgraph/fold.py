"""Values that are known while planning: torch-free value nodes whose result feeds a setting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .canonical import canonical_bytes
from .errors import GraphError, GraphErrors
from .flatten import Flat
from .order import BEGIN, Order
from .registry import Registry


def fold(flat: Flat, order: Order, settings: dict[str, dict[str, Any]], registry: Registry) -> None:
    """Run the fold nodes upstream of settings and put their results in.

    A node that fails, or gives what is not JSON, is a problem of that node; settings that do not fit are left to the
    check of settings.
    """
    needed = _needed(flat)
    values: dict[tuple[str, str], Any] = {}
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
            canonical_bytes(result)
        except GraphError as error:
            flat.error(error.problem.code, error.problem.message, id, error.problem.port, error.problem.hint)
            continue
        except Exception as error:
            flat.error("E_VALUE", f"{type(error).__name__}: {error}", id, hint=node.spec.help)
            continue
        outputs = result if node.spec.multi else (result,)
        values.update({(id, port.name): value for port, value in zip(node.spec.outputs, outputs, strict=True)})


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
