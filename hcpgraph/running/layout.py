"""A region as slots and calls: what its body looks like before it is bound to values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from ..checking.flat import FlatNode, Source
from ..declaring.node import Impl
from ..declaring.spec import Choose
from ..planning.demand import body_sources, chosen
from ..planning.plan import Plan
from .guards import Branch, Guard, Needs, Taken, needs, ordered

Argument = int | tuple[int, ...]


class Spread(tuple[int, ...]):
    """Slots of a port for many wires, some of which hold lists whose items each count as a wire.

    Attributes:
        lists: Their places.
    """

    lists: frozenset[int]

    @classmethod
    def make(cls, slots: Iterable[int], lists: frozenset[int]) -> Spread:
        made = cls(slots)
        made.lists = lists
        return made

    def of(self, slots: list[Any]) -> tuple[Any, ...]:
        """The values of the port."""
        return spread((slots[i] for i in self), self.lists)


def spread(values: Iterable[Any], lists: Container[int]) -> tuple[Any, ...]:
    """Values in order, with the items of lists, which stand at some places, in their place.

    Raises:
        TypeError: one is no list.
    """
    found: list[Any] = []
    for place, value in enumerate(values):
        if place not in lists:
            found.append(value)
        elif isinstance(value, list | tuple):
            found += value
        else:
            raise TypeError(f"a wire that brings a list brought {type(value).__name__}")
    return tuple(found)


@dataclass(slots=True)
class OpLayout:
    """One call: which slots it reads and writes, and which nobody reads after it.

    Attributes:
        captures: What it reads besides its ports: what its own region reads from outside, and what feeds settings.
        follows: Settings that are read in every pass, and their slots; other wired ones are read when it is bound.
        guard: What must hold for it to run in a pass; None: it always runs.
    """

    id: str
    node: FlatNode
    impl: Impl
    arguments: tuple[Argument, ...]
    outputs: tuple[int, ...]
    captures: tuple[tuple[Source, int], ...] = ()
    follows: tuple[tuple[str, int], ...] = ()
    guard: Guard | None = None
    frees: tuple[int, ...] = ()

    def reads(self) -> set[int]:
        """All slots that it reads."""
        found = {slot for _, slot in self.captures}
        for argument in self.arguments:
            found.update((argument,) if isinstance(argument, int) else argument)
        return found if self.guard is None else found | self.guard.conditions()


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
    ids, needed = _guarded(plan, owner, layout_of)
    for id in ids:
        inner = analysis.flat.nodes[id]
        assert inner.spec is not None
        impl = registry.impl(inner.type)
        plan.keys.code.check(id)
        wanted = set(body_sources(inner, analysis.settings[id]))
        arguments: list[Argument] = []
        for port in inner.spec.inputs:
            sources = [source for source in inner.inputs.get(port.name, ()) if source in wanted]
            if port.many:
                many = [slot(source) for source in sources]
                lists = frozenset(i for i in range(len(many)) if (id, port.name, i) in analysis.wires.spread)
                arguments.append(Spread.make(many, lists) if lists else tuple(many))
            elif sources and not port.later:
                arguments.append(slot(sources[0]))
            else:
                layout.constants.append((fresh(), impl.port_defaults[port.name]))
                arguments.append(layout.size - 1)
        captures: list[tuple[Source, int]] = []
        if inner.spec.body:
            captures = [(source, slot(source)) for source in layout_of(id).outer]
        captures += [(source, slot(source)) for source in inner.wired.values()]
        known = analysis.settings[id]
        follows = [
            (name, slots[source])
            for name, source in inner.wired.items()
            if name not in known and source not in layout.outer
        ]
        outputs = []
        for port in inner.spec.outputs:
            slots[(id, port.name)] = fresh()
            outputs.append(layout.size - 1)
        layout.ops.append(OpLayout(id, inner, impl, tuple(arguments), tuple(outputs), tuple(captures), tuple(follows)))
    for op in layout.ops:
        layout.later += ((op.id, name, slot(source)) for name, source in op.node.later_sources())
    taken: dict[Branch, Taken] = {}

    def guard(id: str) -> Guard | None:
        branches = needed.get(id)
        return None if branches is None else Guard(tuple(branch(one) for one in sorted(branches)))

    def branch(one: Branch) -> Taken:
        if one not in taken:
            switch = analysis.flat.nodes[one[0]]
            assert switch.spec is not None and switch.spec.choose is not None
            choose = switch.spec.choose
            taken[one] = Taken(fresh(), slot(switch.wired[choose.setting]), choose, one[1], guard(one[0]))
        return taken[one]

    for op in layout.ops:
        op.guard = guard(op.id)
    layout.exits = {name: tuple(slot(source) for source in sources) for name, sources in node.exits.items()}
    _mark_last_reads(layout)
    return layout


def _guarded(plan: Plan, owner: str, layout_of: Callable[[str], Layout]) -> tuple[list[str], Needs]:
    """The ops of a region in the order in which they run, and what must hold for those that do not always run."""
    analysis, ids = plan.analysis, plan.bodies[owner].ops
    nodes, inside = analysis.flat.nodes, set(ids)
    switches = {id: choose for id in ids if (choose := _choosing(plan, id)) is not None}
    if not switches:
        return ids, {}
    reads: dict[str, dict[str, bool]] = {}
    readers: dict[str, list[tuple[str, str | None]]] = {}
    for id in ids:
        node, found = nodes[id], reads.setdefault(id, {})
        assert node.spec is not None
        now = ((name, sources) for name, sources in node.inputs.items() if name not in node.spec.later)
        ports = [(name, source[0]) for name, sources in now for source in sources]
        others = [source[0] for source in (*node.wired.values(), *(layout_of(id).outer if node.spec.body else ()))]
        for name, other in (*ports, *((None, other) for other in others)):
            if other in inside:
                lazily = id in switches and name is not None and node.spec.input[name].lazy
                readers.setdefault(other, []).append((id, name if lazily else None))
                found[other] = lazily and found.get(other, True)
    kept = [(id, source[0]) for id in ids for _, source in nodes[id].later_sources()]
    always = {source[0] for source in nodes[owner].exit_sources()}.union(*kept) & inside
    always |= {id for id in ids if "write" in analysis.weights.effects[id]}
    needed = needs(ids, readers, always)
    deciding = {id: nodes[id].wired[choose.setting][0] for id, choose in switches.items()}
    deciding = {id: other for id, other in deciding.items() if other in inside}
    return ordered(ids, reads, needed, deciding), needed


def _choosing(plan: Plan, id: str) -> Choose | None:
    """The table of a switch whose condition is known only in a pass."""
    node = plan.node(id)
    assert node.spec is not None
    return node.spec.choose if chosen(node, plan.analysis.settings[id]) is None else None


def _mark_last_reads(layout: Layout) -> None:
    kept = {slot for slots in layout.exits.values() for slot in slots} | {slot for *_, slot in layout.later}
    made = {slot for op in layout.ops for slot in op.outputs}
    seen: set[int] = set()
    for op in reversed(layout.ops):
        read = op.reads() | set(op.outputs)
        op.frees = tuple(sorted(slot for slot in read & made if slot not in seen and slot not in kept))
        seen |= read


def fetch(op: OpLayout) -> tuple[int, Any]:
    """How the call gets its arguments: 0 none, 1 the slot of that number, 2 a function of the slots."""
    captures = op.captures
    if op.follows:
        values = [slot for _, slot in op.follows]
        if op.impl.spec.body:
            return 2, lambda slots: (
                *[slots[i] for i in values],
                {s: slots[i] for s, i in captures},
                *flat_arguments(op.arguments, slots),
            )
        several = (*values, *op.arguments)
        if len(several) > 1 and all(type(argument) is int for argument in several):
            return 2, itemgetter(*several)
        return 2, partial(flat_arguments, several)
    if op.impl.spec.body:
        return 2, lambda slots: ({s: slots[i] for s, i in captures}, *flat_arguments(op.arguments, slots))
    if not all(type(argument) is int for argument in op.arguments):
        return 2, partial(flat_arguments, op.arguments)
    if len(op.arguments) == 1:
        return 1, op.arguments[0]
    return (2, itemgetter(*op.arguments)) if op.arguments else (0, None)


def flat_arguments(arguments: Iterable[Argument], slots: list[Any]) -> list[Any]:
    return [
        slots[a] if type(a) is int else tuple([slots[i] for i in a]) if type(a) is tuple else a.of(slots)  # type: ignore[union-attr]
        for a in arguments
    ]
