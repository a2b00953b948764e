"""What stands in the tap of a layer for a block: it wraps the layer, changes a value there, or notes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hcpgraph import GraphError

from ...model.call import Notes
from .block import Block

Inputs = Mapping[str, Any]
Host = Callable[..., Any]


class Hook:
    """One block at one layer.

    A value is the layer's output, or its first input if `pre`; of a tuple it is the first element, and the others stay
    as they are.

    Attributes:
        pre: Whether it acts before the layer.
    """

    __slots__ = ()
    pre: bool

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        """What becomes of the value."""
        raise NotImplementedError

    def before(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Inputs, notes: Notes
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The layer's arguments with the first one changed, be it given by position or by name."""
        if args:
            value = self.meet(_first(args[0]), args, kwargs, inputs, notes)
            return (_with_first(args[0], value), *args[1:]), kwargs
        if not kwargs:
            raise GraphError("E_PRE_HOOK", "the layer is called without inputs", hint="remove pre_hook:")
        name = next(iter(kwargs))
        value = self.meet(_first(kwargs[name]), args, kwargs, inputs, notes)
        return args, {**kwargs, name: _with_first(kwargs[name], value)}

    def around(self, host: Host, inputs: Inputs, notes: Notes) -> Host:
        """The layer with its output changed."""
        return partial(self._after, host, inputs, notes)

    def _after(self, host: Host, inputs: Inputs, notes: Notes, /, *args: Any, **kwargs: Any) -> Any:
        output = host(*args, **kwargs)
        return _with_first(output, self.meet(_first(output), args, kwargs, inputs, notes))


@dataclass(frozen=True, slots=True)
class Wrap(Hook):
    """The block stands in place of the layer and calls it itself."""

    block: Any
    pre: bool = False

    def around(self, host: Host, inputs: Inputs, notes: Notes) -> Host:
        return partial(self._call, host, inputs) if self.block.wants else partial(self.block, host)

    def _call(self, host: Host, inputs: Inputs, /, *args: Any, **kwargs: Any) -> Any:
        return self.block(host, *args, **wanted(self.block, inputs, kwargs))


@dataclass(frozen=True, slots=True)
class Change(Hook):
    """The block changes the value of its one layer."""

    block: Block
    pre: bool

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        return self.block(value, *args, **wanted(self.block, inputs, kwargs))


@dataclass(frozen=True, slots=True)
class Read(Hook):
    """The value is noted for the block that acts at a later layer."""

    name: str
    pre: bool

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        notes[self.name] = value
        return value


@dataclass(frozen=True, slots=True)
class Join(Hook):
    """The block changes the value with what was noted."""

    block: Block
    name: str
    pre: bool
    route: str

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        if self.name not in notes:
            raise too_early(self.route)
        return self.block(notes.pop(self.name), value, *args, **wanted(self.block, inputs, kwargs))


@dataclass(frozen=True, slots=True)
class Gather(Hook):
    """The value is noted as one of several; with the last of them the block runs, and its results are noted."""

    block: Block
    index: int
    sources: int
    targets: int
    pre: bool

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        notes["from", self.index] = value
        places = [("from", index) for index in range(self.sources)]
        if all(place in notes for place in places):
            results = self.block(tuple(notes.pop(place) for place in places), **wanted(self.block, inputs, {}))
            if len(results) != self.targets:
                raise GraphError(
                    "E_PLUGIN_RESULTS",
                    f"{type(self.block).__name__} gave {len(results)} results for {self.targets} layers",
                    hint="its forward returns one value a layer of to_layers, in their order",
                )
            notes.update({("to", index): result for index, result in enumerate(results)})
        return value


@dataclass(frozen=True, slots=True)
class Spread(Hook):
    """One of the block's results is joined with the value."""

    block: Any
    index: int
    pre: bool
    route: str

    def meet(self, value: Any, args: Any, kwargs: dict[str, Any], inputs: Inputs, notes: Notes) -> Any:
        if ("to", self.index) not in notes:
            raise too_early(self.route)
        return self.block.join(self.index, value, notes.pop(("to", self.index)))


def wanted(block: Block, inputs: Inputs, kwargs: dict[str, Any]) -> dict[str, Any]:
    """A layer's named arguments and the side inputs that the block wants.

    Raises:
        GraphError: E_SIDE_INPUT, this call has no such input, or the layer has an argument of that name.
    """
    if not block.wants:
        return kwargs
    kind = type(block).__name__
    for name in block.wants:
        if name not in inputs:
            raise GraphError(
                "E_SIDE_INPUT",
                f"{kind} wants '{name}', which this call does not have",
                hint=f"there is: {', '.join(sorted(inputs)) or 'nothing'}; plugin.input gives more",
            )
        if name in kwargs:
            raise GraphError(
                "E_SIDE_INPUT",
                f"{kind} wants '{name}', and the layer has an argument of that name",
                hint="take the layer's argument, or give the side input another name",
            )
    return {**kwargs, **{name: inputs[name] for name in block.wants}}


def too_early(route: str) -> GraphError:
    """The error for a layer that runs before the one whose features it needs."""
    return GraphError(
        "E_PLUGIN_ORDER",
        f"{route}: the second layer ran before the first had given its features",
        hint="a plugin leads from layers that run earlier to layers that run later, once in each call of the model",
    )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) and value else value


def _with_first(value: Any, first: Any) -> Any:
    if not (isinstance(value, (tuple, list)) and value):
        return first
    return value if first is value[0] else type(value)((first, *value[1:]))
