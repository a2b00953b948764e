"""Strict JSON: bounded depth, no key twice, no number that another program would read differently."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import accumulate
from typing import Any, NamedTuple, NoReturn

from ..errors import GraphErrors, Problem
from .fileformat import MAX_INT, MAX_PROBLEMS, Place, node_at, shown, written

_INTEGER_DIGITS = 16
_STRING_OR_OTHER = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def depth(text: str) -> int:
    """How deep the objects and lists of a JSON text are nested; strings are skipped, nothing is parsed."""
    brackets = _STRING_OR_OTHER.sub("", text)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def parse(text: str) -> tuple[Any, list[Problem]]:
    """The value of a JSON text, and what is wrong with it; a harmless value stands where something was wrong.

    The text must have been checked with `depth`.

    Raises:
        GraphErrors: the text is not JSON at all.
    """
    faults: list[_Fault] = []

    def fault(code: str, message: str, value: Any, hint: str | None = None) -> Any:
        if len(faults) == MAX_PROBLEMS:
            return value
        if len(faults) == MAX_PROBLEMS - 1:
            code, message, hint = "E_MORE", "there are more mistakes of this kind behind this one", None
        faults.append(_Fault(Problem(code, message, hint=hint), value))
        return faults[-1]

    def integer(digits: str) -> Any:
        if len(digits.lstrip("-")) <= _INTEGER_DIGITS and -MAX_INT <= int(digits) <= MAX_INT:
            return int(digits)
        hint = "write it with a point or an exponent, or as a string"
        return fault("E_NUMBER", f"the integer {shown(digits)} is beyond ±(2^53−1)", 1, hint)

    def decimal(digits: str) -> Any:
        value = float(digits)
        if value - value == 0:
            return value
        return fault("E_NUMBER", f"the number {shown(digits)} is infinite", 1.0)

    def constant(name: str) -> Any:
        return fault("E_JSON_NAN", f"{name} is not JSON", 1.0, "write a finite number")

    def pairs(items: list[tuple[str, Any]]) -> Any:
        value = dict(items)
        if len(value) == len(items):
            return value
        twice = [name for name, times in Counter(name for name, _ in items).items() if times > 1]
        message = f"keys that occur twice: {', '.join(map(shown, twice[:12]))}"
        return fault("E_JSON_DUPLICATE_KEY", message, value, "keep one of them")

    decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_int=integer, parse_float=decimal, parse_constant=constant)
    try:
        raw = decoder.decode(text)
    except ValueError as error:
        raise _not_json(error) from None
    if not faults and not _SURROGATE.search(text):
        return raw, []
    problems: list[Problem] = []
    return _settled(raw, (), problems), problems


class _Fault(NamedTuple):
    """Stands in the parsed value where something was wrong, until its place is known."""

    problem: Problem
    value: Any


def _settled(value: Any, place: Place, problems: list[Problem]) -> Any:
    while isinstance(value, _Fault):
        found = value.problem
        problems.append(_at(place, found.code, found.message, found.hint))
        value = value.value
    if isinstance(value, str) and not _is_text(value):
        problems.append(_at(place, "E_JSON", "half of a surrogate pair is not a character"))
        return "?"
    if isinstance(value, dict):
        if not all(map(_is_text, value)):
            problems.append(_at(place, "E_JSON", "a key has half of a surrogate pair, which is not a character"))
        return {
            name if _is_text(name) else "?": _settled(item, (*place, name), problems) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_settled(item, (*place, index), problems) for index, item in enumerate(value)]
    return value


def _at(place: Place, code: str, message: str, hint: str | None = None) -> Problem:
    return Problem(code, f"{written(place)}: {message}", node_at(place), hint=hint)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_json(error: ValueError) -> NoReturn:
    place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    raise GraphErrors.one("E_JSON", f"this is not JSON: {reason[0].lower()}{reason[1:]}{place}")
