"""Settings that are as long as a training: how many optimizer steps the optimizer behind a node will get, or how many
steps the region has whose steps a node follows.

`LENGTHS` of a pack's rules name such settings, `PASSES` say how often owners of regions run their bodies. A length that
is `auto` is put into the settings before keys are made, so that it equals one that is written out
(docs/adr/021-lengths.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..declaring.registry import Registry
from ..declaring.spec import PortSpec
from ..types import TypeRef
from .flat import Flat, FlatNode, Source, owns
from .weight_flow import Weights
from .wires import Wires

AUTO = "auto"
Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Length:
    """One setting that is as long as a training.

    Attributes:
        node, setting: Which.
        loops: The training loops whose steps the optimizer gets.
        steps: How many these are; None while only the run knows it.
        said: What the graph says; None for `auto`.
        matters: Whether anything depends on it.
    """

    node: str
    setting: str
    loops: tuple[str, ...]
    steps: int | None
    said: int | None = None
    matters: bool = True

    @property
    def open(self) -> bool:
        """Whether the loop itself says the length when it begins."""
        return self.matters and self.said is None and self.steps is None

    @property
    def value(self) -> int | None:
        return self.steps if self.said is None else self.said


def resolve(
    flat: Flat, settings: dict[str, dict[str, Any]], wires: Wires, weights: Weights, registry: Registry
) -> tuple[Length, ...]:
    """Put numbers in the place of `auto`; what cannot be known, and what contradicts the loops, is a problem.

    Settings on which nothing depends are left as they are.
    """
    found = []
    wrong = {(problem.node, problem.port) for problem in flat.problems if problem.severity == "error"}
    for node in flat.nodes.values():
        for name, depends in registry.lengths.get(node.type, {}).items():
            said = settings[node.id].get(name)
            if not _is_length(said) or (node.id, name) in wrong:
                continue
            sources = [(node.id, port.name) for port in node.spec.outputs] if node.spec else []
            used = using(flat, settings, wires, sources)
            loops = tuple(sorted(used))
            if not loops:
                found += _along(flat, settings, weights, registry, node, name)
                continue
            steps = _total(flat, settings, weights, registry, used)
            written = said if isinstance(said, int) and said else None
            length = Length(node.id, name, loops, steps, written, depends(settings[node.id]))
            found.append(length)
            if not length.matters:
                continue
            if length.said is None and steps is not None:
                settings[node.id][name] = steps
            elif length.open and not _told_by_loop(flat, settings, weights, registry, loops):
                _unknown(flat, length)
            elif length.said is not None and steps is not None and length.said != steps:
                _contradicts(flat, length, length.said, steps)
    return tuple(found)


def _along(
    flat: Flat, settings: dict[str, dict[str, Any]], weights: Weights, registry: Registry, node: FlatNode, name: str
) -> list[Length]:
    """The same for a node that no optimizer stands behind: it is as long as the region whose steps it follows."""
    owner = next(filter(None, (_counting(flat, registry, source) for source in node.sources())), None)
    if owner is None or settings[node.id].get(name) != AUTO:
        return []
    matters = registry.lengths[node.type][name](settings[node.id])
    items = any(entry.each for entry in _entries(flat, owner))
    steps = None if items else _total(flat, settings, weights, registry, {owner: set()})
    length = Length(node.id, name, (owner,), steps, None, matters)
    if matters and steps is None:
        _unknown(flat, length)
    elif matters:
        settings[node.id][name] = steps
    return [length]


def _counting(flat: Flat, registry: Registry, source: Source) -> str | None:
    """The region that counts the steps which a source tells: its owner's entry, or that of one around it."""
    giver = flat.nodes[source[0]]
    if source[1] not in {entry.name for entry in _entries(flat, giver.id)}:
        return None
    around = (*flat.chain(giver.id), giver.id)
    return next((owner for owner in reversed(around) if flat.nodes[owner].type in registry.passes), None)


def _entries(flat: Flat, id: str) -> tuple[PortSpec, ...]:
    spec = flat.nodes[id].spec
    return spec.entries if spec is not None and spec.body else ()


def _is_length(value: Any) -> bool:
    return value == AUTO or (type(value) is int and value >= 0)


def using(flat: Flat, settings: Settings, wires: Wires, sources: Iterable[Source]) -> dict[str, set[Source]]:
    """The training loops that change weights through what these sources give, and the sources that come in there."""
    readers: dict[Source, list[tuple[str, str, bool]]] = {}
    for node in flat.nodes.values():
        for kind, exits in ((node.inputs, False), (node.exits, True)):
            for port, feeding in kind.items():
                for source in feeding:
                    readers.setdefault(source, []).append((node.id, port, exits))
    found: dict[str, set[Source]] = {}
    stack = list(sources)
    kinds = {wires.types.get(source) for source in stack}
    seen = set(stack)
    while stack:
        source = stack.pop()
        for id, port, exits in readers.get(source, ()):
            node = flat.nodes[id]
            spec = node.spec
            if spec is None or (not exits and not _wanted(flat, settings, id, port)):
                continue
            if port in spec.mutates and not exits:
                found.setdefault(id, set()).add(source)
                continue
            given = (*spec.outputs, *(spec.entries if owns(node) else ()))
            more = {(id, out.name) for out in given if _same(wires.types.get((id, out.name)), kinds)} - seen
            seen |= more
            stack += sorted(more)
    return found


def _same(kind: TypeRef | None, kinds: set[TypeRef | None]) -> bool:
    return kind is not None and kind in kinds


def _wanted(flat: Flat, settings: Settings, id: str, port: str) -> bool:
    """Whether a branch may be taken."""
    spec = flat.nodes[id].spec
    assert spec is not None
    if spec.choose is None or not spec.input[port].lazy or spec.choose.setting not in settings[id]:
        return True
    return port in spec.choose.ports(settings[id][spec.choose.setting])


def passes(flat: Flat, settings: Settings, registry: Registry, id: str) -> int | Mapping[str, Any] | None:
    """How often the owner of a region runs its body: a number; the settings that say it where only the run knows the
    number; or None.
    """
    says = registry.passes.get(flat.nodes[id].type)
    return None if says is None else says(settings[id])


def turns(flat: Flat, settings: Settings, weights: Weights, registry: Registry, loop: str) -> int | None:
    """How many times a loop goes on with its weights, in the regions around it; None if that is not known."""
    around = flat.chain(loop)
    number = 1
    for owner in around[weights.carried.get(loop, len(around)) :]:
        count = passes(flat, settings, registry, owner)
        if not isinstance(count, int):
            return None
        number *= count
    return number


def _total(
    flat: Flat, settings: Settings, weights: Weights, registry: Registry, used: Mapping[str, set[Source]]
) -> int | None:
    total = 0
    for loop, sources in used.items():
        steps, number = passes(flat, settings, registry, loop), turns(flat, settings, weights, registry, loop)
        if not isinstance(steps, int) or number is None:
            return None
        share = _share(flat, settings, registry, flat.nodes[loop], sources, steps * number)
        if share is None:
            return None
        total += share
    return total or None


def _share(
    flat: Flat, settings: Settings, registry: Registry, loop: FlatNode, sources: set[Source], steps: int
) -> int | None:
    """How many of a loop's steps an optimizer does that comes in from these sources."""
    makers = [flat.nodes[id] for id, _ in loop.exit_sources()]
    if not all(maker.spec is not None and maker.spec.aims for maker in makers):
        return steps
    named = [
        maker
        for maker in makers
        if maker.spec is not None and any(sources.intersection(maker.inputs.get(port, ())) for port in maker.spec.aims)
    ]
    kinds = {maker.type for maker in named}
    if len(kinds) != 1 or (says := registry.shares.get(kinds.pop())) is None:
        return steps
    return says([settings[maker.id] for maker in named], steps)


def _told_by_loop(flat: Flat, settings: Settings, weights: Weights, registry: Registry, loops: tuple[str, ...]) -> bool:
    """Whether one loop alone says the length, and knows it when it begins."""
    return len(loops) == 1 and turns(flat, settings, weights, registry, loops[0]) is not None


def _unknown(flat: Flat, length: Length) -> None:
    loops = " and ".join(f"'{loop}'" for loop in length.loops)
    flat.error(
        "E_LENGTH",
        f"'{length.setting}' is {AUTO}, and how many steps {loops} will do in all is known only while they run",
        length.node,
        length.setting,
        f"write the number of steps into '{length.setting}'",
    )


def _contradicts(flat: Flat, length: Length, said: int, steps: int) -> None:
    loops = " and ".join(f"'{loop}'" for loop in length.loops)
    what = (
        f"the last {steps - said} keep its last value" if said < steps else f"its last {said - steps} are never reached"
    )
    flat.warn(
        "W_LENGTH",
        f"'{length.setting}' is {said}, and the optimizer gets {steps} steps from {loops}: {what}",
        length.node,
        length.setting,
        f"set '{length.setting}' to {AUTO}, which follows the steps",
    )
