"""Settings of nodes against their schemas: from the manifest, without importing the node."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..declaring.spec import NodeSpec
from ..errors import Problem, did_you_mean
from .fits import fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.protocols import Validator


@lru_cache(maxsize=2048)
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    integers = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: type[Validator] = extend(Draft202012Validator, type_checker=integers)  # type: ignore[no-untyped-call]
    return strict(json.loads(schema))


FAULTS, COUNTED = 20, 20_000
"""Faults of a node's settings that are told one by one, and up to how many more are counted."""
REMEMBERED = 10_000

_texts: dict[int, tuple[Mapping[str, Any], str]] = {}


def _text(schema: Mapping[str, Any]) -> str:
    """The schema as text, remembered by identity: schemas live as long as their registry."""
    known = _texts.get(id(schema))
    if known is None or known[0] is not schema:
        known = _texts[id(schema)] = (schema, json.dumps(schema, sort_keys=True))
    return known[1]


def _faults(schema: str, settings: str) -> tuple[tuple[str, str], ...]:
    """What is wrong with settings, by setting; remembered unless they are very long."""
    return _looked_up(schema, settings) if len(settings) <= REMEMBERED else _found(schema, settings)


def _found(schema: str, settings: str) -> tuple[tuple[str, str], ...]:
    given = json.loads(settings)
    checks = _validator(schema)
    missing = [(name, "is required") for name in json.loads(schema).get("required", ()) if name not in given]
    faults = (error for error in checks.iter_errors(given) if error.validator != "required" or error.absolute_path)
    told = (*missing, *map(_describe, islice(faults, FAULTS)))
    more = sum(1 for _ in islice(faults, COUNTED))
    return (*told, ("", f"{more:,}{'' if more < COUNTED else ' or'} more values are wrong")) if more else told


_looked_up = lru_cache(maxsize=65536)(_found)


def _describe(error: Any) -> tuple[str, str]:
    error = _meant(error)
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    inner = "".join(f"[{part!r}]" for part in list(error.absolute_path)[1:])
    value = json.dumps(error.instance)
    value = value if len(value) <= 60 else value[:57] + "…"
    rule, wanted = error.validator, error.validator_value
    if rule == "required" and name:
        missing = ", ".join(repr(key) for key in wanted if key not in error.instance)
        return name, f"needs {missing}, but{inner and f' {inner}'} is {value}"
    told = {
        "type": f"must be {wanted}",
        "enum": f"must be one of {', '.join(map(json.dumps, wanted)) if isinstance(wanted, list) else wanted}",
        "minimum": f"must be at least {wanted}",
        "maximum": f"must be at most {wanted}",
        "exclusiveMinimum": f"must be greater than {wanted}",
        "exclusiveMaximum": f"must be less than {wanted}",
        "minItems": f"needs at least {wanted} items",
        "maxItems": f"takes at most {wanted} items",
        "minLength": f"needs at least {wanted} characters",
        "anyOf": "fits none of the allowed forms: " + (_forms(wanted) if rule == "anyOf" else ""),
    }.get(rule, error.message)
    return name, f"{told}, but{inner and f' {inner}'} is {value}"


def _meant(error: Any) -> Any:
    """What is wrong in the one form of several whose type a value has: of `int | Literal["auto"]` a number that is too
    small; else the error as it is."""
    forms: dict[Any, list[Any]] = {}
    for fault in error.context or ():
        forms.setdefault(fault.schema_path[0], []).append(fault)
    near = [faults[0] for faults in forms.values() if not any(_is_other(fault) for fault in faults)]
    return near[0] if error.validator == "anyOf" and len(near) == 1 else error


def _is_other(fault: Any) -> bool:
    return fault.validator in ("type", "const") and not fault.path


def _forms(wanted: Any) -> str:
    return ", ".join(str(form.get("const", form.get("type", form.get("enum", "…")))) for form in wanted)


_NOTHING = object()


def check(spec: NodeSpec, node: str, settings: Mapping[str, Any], unknown: Container[str]) -> Iterator[Problem]:
    """Every problem of one node's settings; those in `unknown` get their values while the graph runs."""
    known = spec.settings
    given: dict[str, Any] = {}
    strangers: list[str] = []
    plain = spec.required <= settings.keys()
    for name, value in settings.items():
        if name in known:
            given[name] = value
            plain = plain and (value is spec.defaults.get(name, _NOTHING) or fits(known[name], value))
        else:
            strangers.append(name)
    for name in strangers[:FAULTS]:
        hint = did_you_mean(name, [*known, *spec.input], "settings")
        if name in spec.input or name in spec.exit:
            hint = f"'{name}' is a port: connect a wire to {node}.{name}"
        yield Problem("E_SETTING_UNKNOWN", f"{spec.id} has no setting '{name}'", node, name, hint)
    if len(strangers) > FAULTS:
        yield Problem("E_SETTING_UNKNOWN", f"and {len(strangers) - FAULTS:,} more unknown settings", node)
    if plain:
        return
    for name, message in _faults(_text(spec.schema), json.dumps(given)):
        if name not in unknown:
            code = "E_SETTING_MISSING" if message == "is required" else "E_SETTING"
            yield Problem(code, message, node, name or None, known.get(name, {}).get("description"))
