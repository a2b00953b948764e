"""A region as slots and calls: what its body looks like before it is bound to values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from ..checking.flat import FlatNode, Source
from ..declaring.node import Impl
from ..planning.demand import static_sources
from ..planning.plan import Plan

Argument = int | tuple[int, ...]


@dataclass(slots=True)
class OpLayout:
    """One call: which slots it reads and writes, and which nobody reads after it."""

    id: str
    node: FlatNode
    impl: Impl
    arguments: tuple[Argument, ...]
    outputs: tuple[int, ...]
    captures: tuple[tuple[Source, int], ...] = ()
    frees: tuple[int, ...] = ()


@dataclass(slots=True)
class Layout:
    """A region as slots.

    Attributes:
        size: Number of slots.
        outer: What is read from outside, and the slot it goes to.
        constants: Slot -> value, for ports that nothing is connected to.
        entries: Entry name -> slot.
        exits: Exit name -> slots of what feeds it.
        later: Node, port and slot of what is handed on to the next pass.
    """

    owner: str
    size: int = 0
    outer: dict[Source, int] = field(default_factory=dict)
    constants: list[tuple[int, Any]] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)
    exits: dict[str, tuple[int, ...]] = field(default_factory=dict)
    later: list[tuple[str, str, int]] = field(default_factory=list)
    ops: list[OpLayout] = field(default_factory=list)


def lay_out(plan: Plan, owner: str, layout_of: Callable[[str], Layout]) -> Layout:
    """The slots and calls of a region.

    Args:
        layout_of: Gives the layout of a region inside of it.
    """
    analysis = plan.analysis
    layout = Layout(owner)
    slots: dict[Source, int] = {}
    registry = analysis.registry

    def fresh() -> int:
        layout.size += 1
        return layout.size - 1

    def slot(source: Source) -> int:
        if source not in slots:
            slots[source] = layout.outer[source] = fresh()
        return slots[source]

    node = analysis.flat.nodes[owner]
    assert node.spec is not None
    for entry in node.spec.entries:
        slots[(owner, entry.name)] = layout.entries[entry.name] = fresh()
    for id in plan.bodies[owner].ops:
        inner = analysis.flat.nodes[id]
        assert inner.spec is not None
        impl = registry.impl(inner.type)
        plan.keys.code.check(id)
        wanted = set(static_sources(inner, analysis.settings[id]))
        arguments: list[Argument] = []
        for port in inner.spec.inputs:
            sources = [source for source in inner.inputs.get(port.name, ()) if source in wanted]
            if port.many:
                arguments.append(tuple(slot(source) for source in sources))
            elif sources and not port.later:
                arguments.append(slot(sources[0]))
            else:
                layout.constants.append((fresh(), impl.port_defaults[port.name]))
                arguments.append(layout.size - 1)
        captures: list[tuple[Source, int]] = []
        if inner.spec.body:
            captures = [(source, slot(source)) for source in layout_of(id).outer]
        captures += [(source, slot(source)) for source in inner.wired.values()]
        outputs = []
        for port in inner.spec.outputs:
            slots[(id, port.name)] = fresh()
            outputs.append(layout.size - 1)
        layout.ops.append(OpLayout(id, inner, impl, tuple(arguments), tuple(outputs), tuple(captures)))
    for op in layout.ops:
        layout.later += ((op.id, name, slot(source)) for name, source in op.node.later_sources())
    layout.exits = {name: tuple(slot(source) for source in sources) for name, sources in node.exits.items()}
    _mark_last_reads(layout)
    return layout


def _mark_last_reads(layout: Layout) -> None:
    kept = {slot for slots in layout.exits.values() for slot in slots} | {slot for *_, slot in layout.later}
    made = {slot for op in layout.ops for slot in op.outputs}
    seen: set[int] = set()
    for op in reversed(layout.ops):
        read: set[int] = set(op.outputs)
        for argument in op.arguments:
            read.update((argument,) if isinstance(argument, int) else argument)
        read.update(slot for _, slot in op.captures)
        op.frees = tuple(sorted(slot for slot in read & made if slot not in seen and slot not in kept))
        seen |= read


def fetch(op: OpLayout) -> tuple[int, Any]:
    """How the call gets its arguments: 0 none, 1 the slot of that number, 2 a function of the slots."""
    captures = op.captures
    if op.impl.spec.body:
        return 2, lambda slots: ({s: slots[i] for s, i in captures}, *flat_arguments(op.arguments, slots))
    if not all(type(argument) is int for argument in op.arguments):
        return 2, partial(flat_arguments, op.arguments)
    if len(op.arguments) == 1:
        return 1, op.arguments[0]
    return (2, itemgetter(*op.arguments)) if op.arguments else (0, None)


def flat_arguments(arguments: Iterable[Argument], slots: list[Any]) -> list[Any]:
    return [slots[a] if type(a) is int else tuple([slots[i] for i in a]) for a in arguments]  # type: ignore[union-attr]
