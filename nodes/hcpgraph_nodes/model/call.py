"""What is switched on in a model while it is called: the stack, its side inputs, and what its plugins noted.

A call is a value of its own. Two branches of one step have two, and the recomputation of a checkpointed part, which
runs after the block was left, gets a copy of the one it was first computed in, as it was when that part began.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol, Self

import torch
from torch import nn

Notes = dict[Any, Any]


class Hook(Protocol):
    """What a plugin has at one layer; `pre`: it acts before the layer."""

    @property
    def pre(self) -> bool: ...

    def before(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Mapping[str, Any], notes: Notes
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the layer, changed."""

    def around(self, host: Callable[..., Any], inputs: Mapping[str, Any], notes: Notes) -> Callable[..., Any]:
        """The call of the layer, changed."""


class Shared(Protocol):
    """The weights of a model."""

    @property
    def module(self) -> nn.Module: ...


class Called(Protocol):
    """A model that a plugin calls."""

    @property
    def root(self) -> Shared: ...
    @property
    def family(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def stack(self) -> tuple[Plugin, ...]: ...
    @property
    def trainable(self) -> bool: ...

    def modules(self) -> tuple[nn.Module, ...]:
        """Every module that a call of it runs."""

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        """The same over frozen copies of the weights."""


class Plugin(nn.Module):
    """What models know of a plugin: a torch module, hashed by identity; `plugins.base.Plugin` is one.

    Attributes:
        blocks: What it is made of, by name.
        hooks: Layer name -> what stands there, in order.
        handles: The models that it calls; who trains, copies or registers its host does so with them.
        wants: The side inputs that its blocks take.
        trainable: Whether its weights are trained.
    """

    blocks: Mapping[str, nn.Module]
    hooks: Mapping[str, Sequence[Hook]]
    handles: tuple[Called, ...]
    wants: frozenset[str]
    trainable: bool

    @property
    def revision(self) -> int:
        """How often its numbers were set: what was computed with another revision is out of date."""
        raise NotImplementedError

    @property
    def source(self) -> Plugin:
        """The plugin whose weights it has: itself, or the one that it is with another strength."""
        raise NotImplementedError

    @property
    def identity(self) -> Hashable:
        """Plugins of one identity do the same, with other values, and are compiled together."""
        raise NotImplementedError

    def acts(self, inputs: Mapping[str, Any]) -> bool:
        """Whether it takes part in a call with these side inputs."""
        raise NotImplementedError

    def state(self) -> dict[str, torch.Tensor]:
        """All its weights and buffers, without those of the model, by `layer.name`."""
        raise NotImplementedError


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
