"""Reading what layers give in one call: a plugin that changes nothing and notes values for whoever made the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from hcpgraph import GraphError

from ...model.call import Notes
from ...model.handles import Handle
from ...model.root import Root
from ...types import Features, Keys
from ..base import Plugin, chosen
from .hooks import Hook, Inputs

RECORD = "recorded_features"
"""The side input into which values are written: a dict that is made for one call."""


@dataclass(frozen=True, slots=True)
class Tap(Hook):
    """The value is noted the first time: what gradient checkpointing computes again is not another one."""

    name: str
    pre: bool

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        seen = inputs[RECORD]
        if self.name not in seen:
            seen[self.name] = value
        return value


class Recorder(Plugin):
    """Notes what chosen layers give; it has no weights. In a call without a record it sits out.

    Args:
        model: The model.
        layers: Selectors.

    Attributes:
        names: The places that are read, in order.
        record: The side input that it writes to.
    """

    def __init__(self, model: Handle, layers: Sequence[str]) -> None:
        points = chosen(model, layers)
        hooks: dict[str, list[Hook]] = {}
        for point in points:
            hooks.setdefault(point.path, []).append(Tap(point.name, point.pre))
        super().__init__({}, trainable=False, hooks=hooks)
        self.names = tuple(point.name for point in points)
        self.record = RECORD

    def acts(self, inputs: Mapping[str, Any]) -> bool:
        return RECORD in inputs


_made: WeakKeyDictionary[Root, dict[tuple[str, ...], Recorder]] = WeakKeyDictionary()


def recorder(model: Handle, layers: Sequence[str]) -> Recorder:
    """The recorder of layers of a model: one for its weights, so that no step looks for layers again.

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER.
    """
    known = _made.setdefault(model.root, {})
    key = tuple(layers)
    if key not in known:
        known[key] = Recorder(model, layers)
    return known[key]


def features_of(seen: Mapping[str, Any], name: str, latents: tuple[int, int], keys: Keys | None) -> Features:
    """What a layer gave, as vectors.

    Args:
        seen: The record of a call.
        name: The layer.
        latents: Rows and columns of the latents.
        keys: The samples.

    Raises:
        GraphError: E_FEATURES.
    """
    value = seen.get(name)
    if not isinstance(value, Tensor) or value.dim() not in (2, 3, 4):
        told = f"gave {list(value.shape)}" if isinstance(value, Tensor) else "did not run, or gave no tensor"
        hint = "choose a layer whose output is (B, D), (B, L, D) or (B, D, h, w)"
        raise GraphError("E_FEATURES", f"the layer {name} {told}", port="layers", hint=hint)
    if value.dim() == 4:
        grid: tuple[int, int] | None = (value.shape[2], value.shape[3])
        return Features(value.flatten(2).transpose(1, 2).float(), grid, keys)
    return Features(value.float(), _grid(value.shape[1], *latents) if value.dim() == 3 else None, keys)


def _grid(tokens: int, rows: int, columns: int) -> tuple[int, int] | None:
    """The grid of as many tokens in latents, where squares of a whole side make it."""
    side = isqrt(rows * columns // tokens) if tokens else 0
    whole = side > 0 and rows % side == 0 and columns % side == 0
    return (rows // side, columns // side) if whole and rows // side * (columns // side) == tokens else None
