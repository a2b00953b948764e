"""Records around tensors: the same record with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from torch import Tensor

from hcpgraph import GraphError

from ..types import CropInfo, Loss, Numbers, Timesteps

N = TypeVar("N", bound=Numbers)
Remake = Callable[[Any, Tensor], Any]


def with_numbers(record: N, data: Tensor) -> N:
    """The record with other numbers: type, keys and all else are kept; whole numbers (timesteps, sizes) are rounded."""
    kind: Any = type(record)
    made: N = _remake(kind)(record, data)
    return made


def put_together(records: Sequence[Any], data: Tensor) -> Any:
    """What was made of several records, element by element: as the first of them, with keys for all its rows.

    A loss stands for as many samples as the largest of the losses. Where one row of the first stood for all rows, the
    keys are those of the first record that has one a row.
    """
    first = records[0]
    if isinstance(first, Loss):
        return Loss(data, max(getattr(each, "count", 1) for each in records))
    keys = getattr(first, "keys", None)
    if keys is None or len(keys) == data.shape[0]:
        return with_numbers(first, data)
    known = (getattr(each, "keys", None) for each in records)
    return with_keys(first, data, next((each for each in known if each and len(each) == data.shape[0]), None))


def with_keys(record: N, data: Tensor, keys: tuple[Any, ...] | None) -> N:
    """The record with other numbers, and other keys if its type has keys."""
    if not hasattr(record, "keys"):
        return with_numbers(record, data)
    made: N = replace(with_numbers(record, data), keys=keys)  # type: ignore[type-var]
    return made


def same_kinds(records: Sequence[Numbers], port: str) -> None:
    """Raises GraphError E_PREDICTION if predictions or targets among records mean different things."""
    kinds = [getattr(each, "kind", None) for each in records]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise GraphError(
                "E_PREDICTION",
                f"{type(records[number]).__name__} of {kind} beside {kinds[0]}",
                port=f"{port}.{number}",
                hint="put diffusion.convert between",
            )


@cache
def _remake(kind: type[Any]) -> Remake:
    """What puts other numbers into a record of a type, faster than `dataclasses.replace`."""
    others = [field.name for field in fields(kind)][1:]
    if issubclass(kind, Timesteps | CropInfo):
        return lambda record, data: replace(record, data=_as_before(data, record.data))
    if not others:
        return lambda record, data: kind(data)
    if len(others) == 1:
        get = attrgetter(*others)
        return lambda record, data: kind(data, get(record))
    get = attrgetter(*others)
    return lambda record, data: kind(data, *get(record))


def _as_before(data: Tensor, before: Tensor) -> Tensor:
    if before.is_floating_point() or data.dtype == before.dtype:
        return data
    return data.round().to(before.dtype)
