"""Switching a handle's stack on for the calls in a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .call import Call, Plugin
from .compiled import CompiledModule, Compiling
from .root import Root


class Activation:
    """`with handle.active() as module:`; restores in any case what was switched on before."""

    __slots__ = ("_autocast", "_call", "_compiling", "_previous", "_root")

    def __init__(
        self, root: Root, stack: tuple[Plugin, ...], inputs: Mapping[str, Any], compiling: Compiling | None = None
    ) -> None:
        self._root = root
        self._call = Call(stack, inputs)
        self._compiling = compiling
        self._autocast = root.autocast()

    def __enter__(self) -> Any:
        """The module; where it is compiled, something that is called like it."""
        module = self._root.module
        self._root.uses += 1
        self._previous = self._root.active
        self._root.active = self._call if self._call.stack else None
        self._autocast.__enter__()
        if self._compiling is None or torch.compiler.is_compiling():
            return module
        return CompiledModule(self._root, module, self._call, self._compiling)

    def __exit__(self, *error: Any) -> None:
        self._root.uses -= 1
        self._root.active = self._previous
        self._autocast.__exit__(*error)
