"""Values that a call gives for settings: `--set node.setting=value`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..document.graph import Drawing, Graph

if TYPE_CHECKING:
    from ..declaring.registry import Registry


def parse_settings(pairs: Iterable[str], graph: Graph, registry: Registry) -> dict[str, Any]:
    """`name=value` texts as values: JSON where the setting takes it, otherwise the text as it stands.

    So `--set prompt.text=5` is the text "5" and `--set train.steps=5` the number 5.

    Raises:
        click.BadParameter: a pair has no `=`.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{pair}' is not node.setting=value", param_hint="--set")
        values[name.strip()] = _value(text, _schema(name.strip(), graph, registry))
    return values


def _value(text: str, schema: Mapping[str, Any] | None) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, str) or schema is None:
        return value
    return value if not _fits(text, schema) or _fits(value, schema) else text


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(schema).is_valid(value))


def _schema(name: str, graph: Graph, registry: Registry) -> Mapping[str, Any] | None:
    """The schema of `node.setting`, `instance/node.setting` or an input of the interface; None if there is none."""
    body: Drawing = graph
    target = graph.interface.inputs.get(name, [name])[0]
    for _ in range(len(graph.graphs) + 1):
        *path, last = target.split("/")
        for instance in path:
            inner = _body(body, instance, graph)
            if inner is None:
                return None
            body = inner
        node, _, setting = last.partition(".")
        entry = body.nodes.get(node)
        if entry is None:
            return None
        if entry.graph is None:
            spec = registry.find(entry.type)
            known = spec.settings.get(setting) if spec else None
            return None if spec is None or known is None else {**known, "$defs": spec.schema.get("$defs", {})}
        inner = _body(body, node, graph)
        if inner is None or setting not in inner.interface.inputs:
            return None
        body, target = inner, inner.interface.inputs[setting][0]
    return None


def _body(body: Drawing, instance: str, graph: Graph) -> Drawing | None:
    entry = body.nodes.get(instance)
    return graph.graphs.get(entry.graph) if entry is not None and entry.graph is not None else None
