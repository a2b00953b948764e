"""Where gradients end without a word: every op of a training step is looked at in the first pass in which it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import GraphError

if TYPE_CHECKING:
    from .layout import OpLayout
    from .region import BoundBody

DEPTH = 8
HINT = (
    "compute it without detach, no_grad, item() and NumPy; where gradients should end, put tensor.stop_gradient on the "
    "wire, or declare the node with gradient=False"
)


def watch(body: BoundBody, slots: list[Any], ops: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The ops of a pass; each is looked at once it has run.

    Raises:
        GraphError: E_NO_GRADIENT, values that ask for gradients went into an op on the way to an exit, and nothing that
            it gave carries them on.
    """
    on_the_way = body.regions.plan.bodies[body.layout.owner].exits
    for op in ops:
        layout = body.layout_of(op)
        given: dict[str, Any] = {}
        if torch.is_grad_enabled() and layout.id in on_the_way and layout.impl.spec.gradient:
            given = dict(body.inputs_of(layout, slots))
        asking = [name for name, value in given.items() if _asks(value)]
        yield op
        if asking and _ends(body, layout, slots, given):
            gave = ", ".join(port.name for port in layout.impl.spec.outputs)
            raise GraphError(
                "E_NO_GRADIENT",
                f"gradients end here: {', '.join(asking)} asks for them, and {gave} does not carry them on",
                node=layout.id,
                port=asking[0],
                hint=HINT,
            )


class First:
    """Looks at ops that have not run before, and at what runs in their own regions.

    Args:
        body: The body of the step.
        unseen: Ids of its ops that are still to be looked at; those that ran are taken out.
    """

    def __init__(self, body: BoundBody, unseen: set[str]) -> None:
        self._body = body
        self._unseen = unseen
        self._looking = False

    def __call__(self, body: BoundBody, slots: list[Any], ops: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The ops of a pass.

        Raises:
            GraphError: E_NO_GRADIENT, see `watch`.
        """
        if body is not self._body:
            yield from watch(body, slots, ops) if self._looking else ops
            return
        for op in ops:
            layout = body.layout_of(op)
            runs = layout.guard is None or layout.guard(slots)
            self._looking = runs and layout.id in self._unseen
            if self._looking:
                yield from watch(body, slots, (op,))
                self._unseen.discard(layout.id)
            else:
                yield op


def require(losses: Mapping[str, Any], owner: str) -> None:
    """Whether every loss, by its port, leads back to something that asks for gradients.

    Raises:
        GraphError: E_LOSS_FROZEN.
    """
    for port, loss in losses.items():
        if not loss.requires_grad:
            raise GraphError(
                "E_LOSS_FROZEN",
                "the loss carries no gradients: nothing that is trained took part in it, or a node with no_grad stands "
                "between",
                node=owner,
                port=port,
                hint="look along its wires for what ends gradients, or for a plugin of strength 0",
            )


def _ends(body: BoundBody, layout: OpLayout, slots: list[Any], given: Mapping[str, Any]) -> bool:
    """Whether nothing that an op gave carries gradients.

    What cannot be looked into is taken to carry them, and a tensor that was handed on as it came ends none.
    """
    found = False
    handed = {id(part) for value in given.values() for part in parts(value) if isinstance(part, torch.Tensor)}
    types = body.regions.plan.analysis.registry.types
    for port, slot in zip(layout.impl.spec.outputs, layout.outputs, strict=True):
        info = types.get(port.ref.name)
        if info is not None and not info.gradient:
            continue
        for part in parts(slots[slot]):
            if not isinstance(part, float | torch.Tensor):
                return False
            if isinstance(part, torch.Tensor) and (part.requires_grad or id(part) in handed):
                return False
            found = True
    return found


def _asks(value: Any) -> bool:
    """Whether values, not weights, ask for gradients."""
    tensors = (part for part in parts(value) if isinstance(part, torch.Tensor))
    return any(tensor.requires_grad and not isinstance(tensor, nn.Parameter) for tensor in tensors)


def parts(value: Any, depth: int = DEPTH) -> Iterator[Any]:
    """Tensors, numbers and objects of other kinds that a value is made of; texts and whole numbers are nothing."""
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, torch.Tensor | float | nn.Module) or not depth:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from parts(item, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts(item, depth - 1)
    elif is_dataclass(value):
        for field in fields(value):
            yield from parts(getattr(value, field.name), depth - 1)
    else:
        yield value
