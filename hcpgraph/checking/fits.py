"""Whether a value fits a schema, by the keywords that settings are declared with.

jsonschema decides what is wrong and words it; importing it takes a fifth of the check of a small graph, which most
often finds nothing. So it is asked only about values that are not plainly right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_SCALARS = (str, int, float, bool, type(None))
_REMARKS = frozenset({"default", "description", "title", "x-widget"})

Rule = Callable[[Any, Any, Mapping[str, Any]], bool]


def _bound(kinds: tuple[type, ...], holds: Callable[[Any, Any], bool]) -> Rule:
    """A keyword that says something of values of these types only."""
    return lambda wanted, value, _: type(value) not in kinds or holds(value, wanted)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and type(one) in _SCALARS and one == other


def _additional(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if type(value) is not dict:
        return True
    known = schema.get("properties", {})
    return all(fits(wanted, value[name]) for name in value if name not in known)


def _items(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    """What comes after the items that have a schema of their own."""
    return type(value) is not list or all(fits(wanted, each) for each in value[len(schema.get("prefixItems", ())) :])


_RULES: dict[str, Rule] = {
    "type": lambda wanted, value, _: isinstance(wanted, str) and type(value) in _TYPES.get(wanted, ()),
    "enum": lambda wanted, value, _: any(_same(each, value) for each in wanted),
    "const": lambda wanted, value, _: _same(wanted, value),
    "minimum": _bound((int, float), lambda value, least: not value < least),
    "maximum": _bound((int, float), lambda value, most: not value > most),
    "exclusiveMinimum": _bound((int, float), lambda value, below: not value <= below),
    "exclusiveMaximum": _bound((int, float), lambda value, above: not value >= above),
    "multipleOf": _bound((int, float), lambda value, unit: type(value) is type(unit) is int and value % unit == 0),
    "minLength": _bound((str,), lambda value, least: len(value) >= least),
    "maxLength": _bound((str,), lambda value, most: len(value) <= most),
    "pattern": _bound((str,), lambda value, pattern: re.search(pattern, value) is not None),
    "minItems": _bound((list,), lambda value, least: len(value) >= least),
    "maxItems": _bound((list,), lambda value, most: len(value) <= most),
    "prefixItems": _bound((list,), lambda value, first: all(map(fits, first, value))),
    "items": _items,
    "minProperties": _bound((dict,), lambda value, least: len(value) >= least),
    "maxProperties": _bound((dict,), lambda value, most: len(value) <= most),
    "required": _bound((dict,), lambda value, names: all(name in value for name in names)),
    "properties": _bound(
        (dict,), lambda value, known: all(fits(known[name], value[name]) for name in known if name in value)
    ),
    "additionalProperties": _additional,
    "anyOf": lambda wanted, value, _: any(fits(form, value) for form in wanted),
}


def fits(schema: Mapping[str, Any] | bool, value: Any) -> bool:
    """Whether a JSON value is plainly right: False also where the schema has a keyword that is not known here."""
    if isinstance(schema, bool):
        return schema
    for keyword, wanted in schema.items():
        if keyword not in _REMARKS:
            rule = _RULES.get(keyword)
            if rule is None or not rule(wanted, value, schema):
                return False
    return True
