"""Copies of values that no gradient and no later change reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from .gradients import parts


def detached(value: Any) -> Any:
    """The value with copies of its tensors, without gradients; what holds no tensors is handed on."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {name: detached(item) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(detached, value))
    if isinstance(value, list | tuple):
        return type(value)(map(detached, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: detached(getattr(value, field.name)) for field in fields(value)})
    return value


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of a value, in a fixed order."""
    return (part for part in parts(value) if isinstance(part, torch.Tensor))
