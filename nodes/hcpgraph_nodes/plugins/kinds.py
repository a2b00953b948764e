"""The kinds of plugins that change values where they pass; with WrapPluginBlock they are HCP-Diffusion's four.

A block is a module with weights of its own. A selector that begins with `pre_hook:` means the input of a layer, any
other its output. `on` makes a plugin of blocks for the layers that selectors match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from torch import Tensor

from hcpgraph import GraphError

from ..model.handles import Handle
from .base import Plugin, WrapPluginBlock, chosen, placed
from .blocks.block import Block
from .blocks.hooks import Change, Gather, Hook, Join, Read, Spread
from .blocks.selector import Point

__all__ = ["MultiPluginBlock", "PluginBlock", "SinglePluginBlock", "WrapPluginBlock"]


class SinglePluginBlock(Block):
    """A block that changes the output of one layer, or with `pre_hook:` its first input.

    A subclass overrides `forward(value, *args, **kwargs)`; the others are what the layer was called with.
    """

    def forward(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Leave the value as it is."""
        return value

    @classmethod
    def on(
        cls,
        model: Handle,
        layers: Sequence[str],
        make: Callable[[Point], Self] | None = None,
        *,
        trainable: bool = True,
    ) -> Plugin:
        """A plugin with one block a layer.

        Args:
            model: What it will be attached to.
            layers: Selectors.
            make: Makes the block of a layer; by default `cls(layer)`.
            trainable: Whether its weights are trained.

        Raises:
            GraphError: E_SELECTOR, E_NO_LAYER.
        """
        blocks: dict[str, Block] = {}
        hooks: dict[str, list[Hook]] = {}
        for point in chosen(model, layers, cls.wraps):
            block = placed(cls(point.layer) if make is None else make(point), model)
            blocks[point.name] = block
            hooks.setdefault(point.path, []).append(Change(block, point.pre))
        return Plugin(blocks, trainable=trainable, hooks=hooks)


class PluginBlock(Block):
    """A block that leads from one layer to a later one.

    A subclass overrides `forward(feature, value, *args, **kwargs)`: `feature` was noted at the first layer, `value` is
    changed at the second, and the others are what that one was called with.
    """

    def forward(self, feature: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Leave the value as it is."""
        return value

    @classmethod
    def on(
        cls,
        model: Handle,
        from_layers: Sequence[str],
        to_layers: Sequence[str],
        make: Callable[[Point, Point], Self] | None = None,
        *,
        trainable: bool = True,
    ) -> Plugin:
        """A plugin with one block a pair: the first layer of one list with the first of the other, and so on.

        Args:
            model: What it will be attached to.
            from_layers: Selectors of the layers that are read.
            to_layers: Selectors of as many layers that are changed.
            make: Makes the block of a pair; by default `cls(from_layer, to_layer)`.
            trainable: Whether its weights are trained.

        Raises:
            GraphError: E_SELECTOR, E_NO_LAYER; E_PLUGIN_PAIRS, the lists match different numbers of layers.
        """
        sources, targets = chosen(model, from_layers, cls.wraps), chosen(model, to_layers, cls.wraps)
        if len(sources) != len(targets):
            raise GraphError(
                "E_PLUGIN_PAIRS",
                f"{len(sources)} layers to read and {len(targets)} to change do not make pairs",
                hint="see what matches with: hcpgraph layers MODEL SELECTOR",
            )
        blocks: dict[str, Block] = {}
        hooks: dict[str, list[Hook]] = {}
        for source, target in zip(sources, targets, strict=True):
            made = cls(source.layer, target.layer) if make is None else make(source, target)
            block = placed(made, model)
            name = f"{source.name}->{target.name}"
            blocks[name] = block
            hooks.setdefault(source.path, []).append(Read(name, source.pre))
            hooks.setdefault(target.path, []).append(Join(block, name, target.pre, name))
        return Plugin(blocks, trainable=trainable, hooks=hooks)


class MultiPluginBlock(Block):
    """A block that reads many layers and adds something at many later ones, as ControlNet does.

    A subclass overrides `forward(features)`, which runs when the last of the first layers has run, and returns one
    value for each of the others; and `join`, if these are not simply added.
    """

    def forward(self, features: tuple[Any, ...]) -> Sequence[Any]:
        """The values for `to_layers`, in their order."""
        raise NotImplementedError

    def join(self, index: int, value: Any, result: Any) -> Any:
        """What becomes of the value at the layer of this index: the sum."""
        return value + result.to(value.dtype) if isinstance(result, Tensor) else value + result

    @classmethod
    def on(
        cls,
        model: Handle,
        from_layers: Sequence[str],
        to_layers: Sequence[str],
        make: Callable[[tuple[Point, ...], tuple[Point, ...]], Self] | None = None,
        *,
        trainable: bool = True,
    ) -> Plugin:
        """A plugin with one block between all the layers; its name is that of the class.

        Args:
            model: What it will be attached to.
            from_layers: Selectors of the layers that are read.
            to_layers: Selectors of the layers that are changed.
            make: Makes the block; by default `cls(from_layers, to_layers)` with lists of layers.
            trainable: Whether its weights are trained.

        Raises:
            GraphError: E_SELECTOR, E_NO_LAYER.
        """
        sources = tuple(chosen(model, from_layers, cls.wraps))
        targets = tuple(chosen(model, to_layers, cls.wraps))
        if make is None:
            made = cls([point.layer for point in sources], [point.layer for point in targets])
        else:
            made = make(sources, targets)
        block = placed(made, model)
        hooks: dict[str, list[Hook]] = {}
        for index, at in enumerate(sources):
            hooks.setdefault(at.path, []).append(Gather(block, index, len(sources), len(targets), at.pre))
        for index, at in enumerate(targets):
            route = f"{cls.__name__} to {at.name}"
            hooks.setdefault(at.path, []).append(Spread(block, index, at.pre, route))
        return Plugin({cls.__name__: block}, trainable=trainable, hooks=hooks)
