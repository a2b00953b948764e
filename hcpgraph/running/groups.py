"""Which ops of a training step belong to which losses: groups, and what runs where some of them are due.

Losses that share a node which carries gradients form a group, unless nodes say that they are for the weights of some
optimizers alone (`aims`): those of other optimizers or settings are a group of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from ..errors import GraphError
from .layout import OpLayout, flat_arguments
from .region import BoundBody

Op = tuple[Any, ...]
GLOBAL_STREAM = "global"


@dataclass(frozen=True, slots=True)
class Aim:
    """What the losses of a group are for.

    Attributes:
        nodes: The nodes that say so.
        settings: Their settings, which are equal.
        values: What is wired to the ports that `aims` names, such as optimizers.
    """

    nodes: tuple[str, ...]
    settings: Mapping[str, Any]
    values: tuple[Any, ...]


@dataclass(slots=True)
class Group:
    """Losses that are back-propagated at once.

    Attributes:
        losses: Their numbers.
        needed: Indices of the ops that they stand on.
        seed: Stream and place in it of the draws from global generators.
        aim: What they are for; None: for all that is trained.
    """

    losses: list[int]
    needed: set[int]
    seed: tuple[str, int]
    aim: Aim | None = None


@dataclass(slots=True)
class Pass:
    """What runs where some groups are due.

    Attributes:
        frozen, rest: Group -> its ops before and from the first one that trained weights reach.
        late: Ops that only the next pass needs.
        after: Ops that only write.
    """

    first: int
    frozen: dict[int, list[Op]]
    rest: dict[int, list[Op]]
    late: list[Op]
    after: list[Op]


class Groups:
    """The groups of a step.

    Args:
        body: The bound body of the loop.
        losses: Slots of the losses, by number.

    Attributes:
        groups: In the order of their first losses.
        start: Ops that only write and need nothing of a step.

    Raises:
        GraphError: E_LOSS_FROZEN, a loss depends on nothing that it trains; E_OBJECTIVE, a node that changes between
            calls would be called for two groups.
    """

    def __init__(self, body: BoundBody, losses: Sequence[int]) -> None:
        self._body = body
        self._reaching = reaching(body, body.trained)
        body.drawing = frozenset(body.layout.ops[index].id for index in self._reaching)
        self.groups = _grouped(body, losses, self._reaching)
        self._kept = _ancestors(body, (slot for *_, slot in body.layout.later))
        self._all = self._kept.union(*(group.needed for group in self.groups))
        self._passes: dict[tuple[int, ...], Pass] = {}
        self._check_state()
        self.start = [body.ops[index] for index in self._writing(self._all)]

    def carrying(self, number: int) -> set[str]:
        """Ids of the ops of a group that trained weights reach."""
        return {self._body.layout.ops[index].id for index in self.groups[number].needed & self._reaching}

    def taking(self, due: tuple[int, ...]) -> Pass:
        """What runs in a pass of these groups."""
        if due not in self._passes:
            self._passes[due] = self._pass(due)
        return self._passes[due]

    def _pass(self, due: tuple[int, ...]) -> Pass:
        """An op that trained weights reach runs for every group that needs it, what is frozen once."""
        body, layouts = self._body, self._body.layout.ops
        ran: set[int] = set()
        lists: dict[int, list[int]] = {}
        for number in due:
            needed = self.groups[number].needed
            lists[number] = sorted(index for index in needed if index in self._reaching or index not in ran)
            ran |= needed
        late = sorted(self._kept - ran)
        after = self._writing(self._all - ran - self._kept)
        parts: list[list[int]] = [*lists.values(), late, after]

        def ops(part: int, indices: Iterable[int]) -> list[Op]:
            """Without freeing what is still read in later parts."""
            later = set().union(*(layouts[index].reads() for others in parts[part + 1 :] for index in others))
            return [_lasting(body.ops[index], later) for index in indices]

        frozen, rest = {}, {}
        for part, (number, indices) in enumerate(lists.items()):
            begin = min(index for index in indices if index in self._reaching)
            frozen[number] = ops(part, [index for index in indices if index < begin])
            rest[number] = ops(part, [index for index in indices if index >= begin])
        return Pass(due[0], frozen, rest, ops(len(due), late), [body.ops[index] for index in after])

    def _writing(self, left: set[int]) -> list[int]:
        """Ops that only write, but those that stand on ops which are left out."""
        body = self._body
        rest = (index for index in range(len(body.ops)) if index not in self._all)
        return [i for i in rest if not (left and _ancestors(body, body.layout.ops[i].reads()) & left)]

    def _check_state(self) -> None:
        for index in sorted(self._reaching):
            op = self._body.layout.ops[index]
            if not op.impl.spec.has("state") or op.impl.spec.later:
                continue
            if sum(index in group.needed for group in self.groups) > 1:
                message = "it changes between calls, and stands behind trained weights for losses of two objectives"
                hint = "put it in front of what is trained, or keep what changes in train.state"
                raise GraphError("E_OBJECTIVE", message, node=op.id, hint=hint)


def _grouped(body: BoundBody, losses: Sequence[int], reached: set[int]) -> list[Group]:
    """Losses of one aim by connected component of the nodes that carry gradients of what they train."""
    aims = [_aim(body, slot) for slot in losses]
    carrying = {None: reached}
    found: list[tuple[set[int], list[int], Any]] = []
    for number, (slot, aim) in enumerate(zip(losses, aims, strict=True)):
        key = aim and aim[0]
        if aim is not None and key not in carrying:
            carrying[key] = reaching(body, aim[1])
        needed = _ancestors(body, [slot]) & carrying[key]
        if not needed:
            raise GraphError(
                "E_LOSS_FROZEN",
                f"loss {number} does not depend on any weights that it trains here",
                node=body.layout.owner,
                port=f"loss.{number}",
                hint="predict with the handle that the plugin gives out (lora.model), not with the bare model",
            )
        merged = (needed, [number], key)
        rest = []
        for group in found:
            if group[2] == key and group[0] & merged[0]:
                merged = (group[0] | merged[0], group[1] + merged[1], key)
            else:
                rest.append(group)
        found = [*rest, merged]
    groups: list[Group] = []
    plain = 0
    for numbers, key in sorted(((sorted(numbers), key) for _, numbers, key in found), key=lambda group: group[0][0]):
        makers = [body.layout.ops[_maker(body, losses[number])] for number in numbers]
        needed = _ancestors(body, [losses[number] for number in numbers])
        if key is None:
            groups.append(Group(numbers, needed, (GLOBAL_STREAM, plain)))
            plain += 1
        else:
            made = Aim(tuple(op.id for op in makers), _settings(body, makers[0]), _aimed(body, makers[0]))
            groups.append(Group(numbers, needed, (f"{GLOBAL_STREAM}:{makers[0].node.stream}", 0), made))
    return groups


def _aim(body: BoundBody, slot: int) -> tuple[Any, frozenset[str]] | None:
    """What tells the aim of a loss from others, and the weights that it names; None: it names none."""
    op = body.layout.ops[_maker(body, slot)]
    if not op.impl.spec.aims:
        return None
    sources = frozenset(source for port in op.impl.spec.aims for source in op.node.inputs.get(port, ()))
    wires = body.regions.plan.analysis.weights.wire
    named = frozenset().union(*(wires.get(source, frozenset()) for source in sources))
    return (sources, dumps(_settings(body, op), sort_keys=True)), named & body.trained


def _settings(body: BoundBody, op: OpLayout) -> Mapping[str, Any]:
    return body.regions.plan.analysis.settings[op.id]


def _aimed(body: BoundBody, op: OpLayout) -> tuple[Any, ...]:
    """What is wired to the ports that say which weights a loss is for: invariants of the step."""
    values = flat_arguments(op.arguments, body.bind())
    wired = (v for port, v in zip(op.impl.spec.inputs, values, strict=True) if port.name in op.impl.spec.aims)
    return tuple(item for value in wired for item in (value if isinstance(value, tuple) else (value,)))


def _maker(body: BoundBody, slot: int) -> int:
    return next(index for index, op in enumerate(body.layout.ops) if slot in op.outputs)


def _lasting(op: Op, later: set[int]) -> Op:
    """The op without freeing what is still read later on."""
    *rest, frees = op
    return (*rest, tuple(slot for slot in frees if slot not in later))


def _ancestors(body: BoundBody, slots: Iterable[int]) -> set[int]:
    """Indices of the ops that some slots stand on."""
    makers = {slot: index for index, op in enumerate(body.layout.ops) for slot in op.outputs}
    found: set[int] = set()
    stack = list(slots)
    while stack:
        index = makers.get(stack.pop())
        if index is not None and index not in found:
            found.add(index)
            stack += body.layout.ops[index].reads()
    return found


def reaching(body: BoundBody, trained: frozenset[str]) -> set[int]:
    """Indices of the ops that trained weights, or values that carry gradients of them, reach."""
    weights = body.regions.plan.analysis.weights
    found: set[int] = set()
    hot: set[int] = set()
    for index, op in enumerate(body.layout.ops):
        runs = not op.impl.spec.aims and weights.reads.get(op.id, frozenset()) & trained
        if runs or op.reads() & hot:
            found.add(index)
            if op.impl.spec.gradient:
                hot.update(op.outputs)
    return found
