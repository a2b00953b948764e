"""Records around tensors: the same record with other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, TypeVar

from torch import Tensor

from hcpgraph import GraphError

from ..types import CropInfo, Keys, Loss, Numbers, Prediction, Target, Timesteps

N = TypeVar("N", bound=Numbers)
MEAN_SOMETHING = {Prediction, Target}
"""Types whose records may be of different kinds."""


def with_numbers(record: N, data: Tensor) -> N:
    """The record with other numbers: type, keys and all else are kept; whole numbers (timesteps, sizes) are rounded."""
    made: N = _REMAKES[type(record)](record, data)
    return made


def put_together(records: Sequence[Any], data: Tensor) -> Any:
    """What was made of several records, element by element: as the first of them, with keys for all its rows.

    A loss stands for as many samples as the largest of the losses. Where one row of the first stood for all rows, the
    keys are those of the first record that has one a row.
    """
    first = records[0]
    if type(first) is Loss:
        return Loss(data, max(getattr(each, "count", 1) for each in records))
    keys = getattr(first, "keys", None)
    if keys is None or len(keys) == data.shape[0]:
        return with_numbers(first, data)
    known = (getattr(each, "keys", None) for each in records)
    return with_keys(first, data, next((each for each in known if each and len(each) == data.shape[0]), None))


def with_keys(record: N, data: Tensor, keys: Keys | None) -> N:
    """The record with other numbers of the same dtype, and other keys if its type has keys."""
    made: N = _REKEYS[type(record)](record, data, keys)
    return made


def same_kinds(records: Sequence[Any], port: str) -> None:
    """Raises GraphError E_PREDICTION if predictions, or targets, mean different things."""
    wanted = records[0].kind
    for number, each in enumerate(records):
        if each.kind != wanted:
            raise GraphError(
                "E_PREDICTION",
                f"{type(each).__name__} of {each.kind} beside {wanted}",
                port=f"{port}.{number}",
                hint="put diffusion.convert between",
            )


class _Makers(dict[type, Callable[..., Any]]):
    """Type of records -> what makes one, faster than `dataclasses.replace`; made when a type is first seen."""

    def __init__(self, make: Callable[[type], Callable[..., Any]]) -> None:
        self.make = make

    def __missing__(self, kind: type) -> Callable[..., Any]:
        self[kind] = made = self.make(kind)
        return made


def _remake(kind: Any) -> Callable[..., Any]:
    others = [field.name for field in fields(kind)][1:]
    if issubclass(kind, Timesteps | CropInfo):
        return lambda record, data: replace(record, data=_as_before(data, record.data))
    if not others:
        return lambda record, data: kind(data)
    get = attrgetter(*others)
    if len(others) == 1:
        return lambda record, data: kind(data, get(record))
    return lambda record, data: kind(data, *get(record))


def _as_before(data: Tensor, before: Tensor) -> Tensor:
    if before.is_floating_point() or data.dtype == before.dtype:
        return data
    return data.round().to(before.dtype)


def _rekey(kind: Any) -> Callable[..., Any]:
    names = [field.name for field in fields(kind)]
    if names[1:] == ["keys"]:
        return lambda record, data, keys: kind(data, keys)
    if "keys" in names:
        return lambda record, data, keys: replace(record, data=data, keys=keys)
    return lambda record, data, keys: with_numbers(record, data)


_REMAKES, _REKEYS = _Makers(_remake), _Makers(_rekey)
