"""The implementations of the model families that `table` lists (torch-free until one is asked for)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import named

if TYPE_CHECKING:
    from .base import Family

_loaded: dict[str, Family] = {}


def family(name: str) -> Family:
    """The implementation of a family; its module is imported once.

    Raises:
        GraphError: E_FAMILY, no such family.
    """
    if name not in _loaded:
        _loaded[name] = named(name).load().FAMILY
    return _loaded[name]
