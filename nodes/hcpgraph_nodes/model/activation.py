"""What is switched on in a model while it is called: the stack, its side inputs, and what its plugins noted.

A call is a value of its own. Two branches of one step have two, and the recomputation of a checkpointed part, which
runs after the block was left, gets a copy of the one it was first computed in, as it was when that part began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from ..plugins.base import Plugin
    from .compiled import Compiling
    from .handles import Root

Notes = dict[Any, Any]


class Call:
    """One activation.

    Args:
        stack: The plugins, innermost first.
        inputs: Side inputs by name, for the blocks that want them.
        notes: What every plugin has noted so far, such as the features of a layer it reads; nothing at first.
    """

    __slots__ = ("inputs", "notes", "stack")

    def __init__(
        self, stack: tuple[Plugin, ...], inputs: Mapping[str, Any], notes: tuple[Notes, ...] | None = None
    ) -> None:
        self.stack = stack
        self.inputs = inputs
        self.notes: tuple[Notes, ...] = tuple({} for _ in stack) if notes is None else notes

    def again(self) -> Call:
        """The same call as it is at this moment: what happens in the copy does not reach this one."""
        return Call(self.stack, self.inputs, tuple(dict(notes) for notes in self.notes))


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
        from .compiled import CompiledModule

        return CompiledModule(self._root, module, self._call, self._compiling)

    def __exit__(self, *error: Any) -> None:
        self._root.uses -= 1
        self._root.active = self._previous
        self._autocast.__exit__(*error)


def tap(root: Root, path: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The `forward` that stands in front of a layer's own.

    What changes inputs runs first, in the order of the stack; then the layer, with what wraps it or changes its output
    around it, each around what was declared before.
    """

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        call = root.active
        if call is None:
            return original(self, *args, **kwargs)
        host: Callable[..., Any] = partial(original, self)
        for plugin, notes in zip(call.stack, call.notes, strict=True):
            for hook in plugin.hooks.get(path, ()):
                if hook.pre:
                    args, kwargs = hook.before(args, kwargs, call.inputs, notes)
                else:
                    host = hook.around(host, call.inputs, notes)
        return host(*args, **kwargs)

    return forward


def checkpointed(root: Root, call: Callable[..., Any], *args: Any) -> Any:
    """`torch.utils.checkpoint` whose recomputation sees the stack, side inputs and notes of the first time.

    A compiled graph has the plugins in it, and computes parts of itself again.
    """
    if torch.compiler.is_compiling():
        return checkpoint(call, *args, use_reentrant=False)
    active = root.active
    begin = None if active is None else active.again()
    first = True

    def run(*args: Any) -> Any:
        nonlocal first
        if first:
            first = False
            return call(*args)
        previous, root.active = root.active, None if begin is None else begin.again()
        try:
            return call(*args)
        finally:
            root.active = previous

    return checkpoint(run, *args, use_reentrant=False)
