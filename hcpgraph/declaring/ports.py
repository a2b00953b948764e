"""Ports of a node, read from the annotations of its signature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ..errors import SpecError
from ..types import describe
from .spec import LATER, LAZY, MANY, Each, Facts, PortSpec, Whole


def port(id: str, name: str, hint: Any, helps: Mapping[str, str], optional: bool) -> PortSpec:
    if name not in helps:
        raise SpecError(f"{id}: '{name}' has no help line in the docstring")
    metadata: list[Any] = []
    while get_origin(hint) is Annotated:
        inner, *more = get_args(hint)
        metadata += more
        hint = inner
    many = MANY in metadata
    if many:
        hint = get_args(hint)[0]
    inner_facts = [m for m in _metadata(hint) if isinstance(m, Facts)]
    facts = [m for m in metadata if isinstance(m, Facts)] + inner_facts
    each = next((m for m in metadata if isinstance(m, Each)), Each(""))
    try:
        kind = describe(hint)
    except SpecError as error:
        raise SpecError(f"{id}.{name}: {error}") from None
    return PortSpec(
        name,
        kind,
        optional=optional or kind.endswith("?"),
        many=many,
        lazy=LAZY in metadata,
        later=LATER in metadata,
        help=helps[name],
        facts=facts[0].to_json() if facts else {},
        each=each.port,
        number=each.number,
    )


def wholes(id: str, ports: Mapping[str, Whole], helps: Mapping[str, str], *, optional: bool) -> tuple[PortSpec, ...]:
    if missing := sorted(set(ports) - set(helps)):
        raise SpecError(f"{id}: {missing} has no help line in the docstring")
    return tuple(
        PortSpec(name, describe(whole.kind), optional=optional, help=helps[name], parts=whole.parts)
        for name, whole in ports.items()
    )


def _metadata(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _is_named_tuple(hint: Any) -> bool:
    cls = get_origin(hint) or hint
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def tuple_ports(id: str, hint: Any, helps: Mapping[str, str]) -> tuple[PortSpec, ...]:
    if hint is None or hint is type(None):
        return ()
    if not _is_named_tuple(hint):
        raise SpecError(f"{id}: several ports are a NamedTuple, not {hint}")
    cls = get_origin(hint) or hint
    renamed = dict(zip(getattr(cls, "__parameters__", ()), get_args(hint), strict=False))
    hints = get_type_hints(cls, include_extras=True)
    found = (port(id, name, hints[name], helps, name in cls._field_defaults) for name in cls._fields)
    return tuple(replace(one, type=_rename(one.type, renamed)) for one in found)


def _rename(kind: str, renamed: Mapping[Any, Any]) -> str:
    """A type string with the variables of a generic named tuple replaced by what it was given."""
    names = {variable.__name__: describe(actual) for variable, actual in renamed.items()}
    return re.sub(r"\$(\w+)(:\w+)?", lambda match: names.get(match[1], match[0]), kind)


def outputs(id: str, returns: Any, helps: Mapping[str, str]) -> tuple[tuple[PortSpec, ...], bool]:
    if returns is None or returns is type(None):
        return (), False
    if _is_named_tuple(returns):
        cls = get_origin(returns) or returns
        return tuple_ports(id, returns, {**dict.fromkeys(cls._fields, ""), **helps}), True
    return (port(id, "out", returns, {"out": helps.get("out", ""), **helps}, False),), False
