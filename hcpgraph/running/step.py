"""The training step as one `torch.nn.Module`: what an engine wraps, and what a drawing compiles to (DESIGN §5.3-4).

Losses that share a node which carries gradients form a group: it is summed and back-propagated at once. Groups run in
turn, so that memory is that of the largest one; what is frozen is computed once and shared. What only writes runs after
the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from ..declaring.body import Body
from ..errors import GraphError
from ..generators import seed_all
from ..rng import stream_seed
from . import gradients
from .detached import detached
from .region import BoundBody

GLOBAL_STREAM = "global"


class StepModule(nn.Module):
    """One step of a training region.

    Args:
        body: The bound body of the loop.
        exit: Name of the exit that takes the losses, each with a scalar `data` that is the mean over `count` samples.

    Attributes:
        losses: Slots of the losses, by number.
        members: Numbers of the losses of every group.
        groups: Number of loss groups, which the caller runs in turn: `forward(0, step)` opens a step.
        instances: Stateful nodes of the body by id.
        skips: Whether a switch leaves out some ops in some passes, and with them the gradients of some parameters.

    Raises:
        GraphError: E_LOSS_FROZEN, a loss does not depend on anything that is trained.
    """

    def __init__(self, body: Body[Any, Any], *, exit: str = "loss") -> None:
        super().__init__()
        if not isinstance(body, BoundBody):
            raise TypeError("the body of a step is the one that the engine gives to the loop")
        self.body = body
        self._exit = exit
        self._template = body.bind()
        self._slots: list[Any] = []
        self.losses = body.layout.exits.get(exit, ())
        reaching = _reaching(body, body.trained)
        body.drawing = frozenset(body.layout.ops[index].id for index in reaching)
        self.members = _groups(body, self.losses, reaching)
        self._later = body.layout.later
        self.groups = len(self.members)
        self._frozen_ops: list[list[tuple[Any, ...]]] = []
        self._group_ops: list[list[tuple[Any, ...]]] = []
        done: set[int] = set()
        for group in self.members:
            new = _ancestors(body, [self.losses[number] for number in group]) - done
            done |= new
            rest = (op for i, op in enumerate(body.layout.ops) if i not in done)
            later = set().union(*(op.reads() for op in rest))
            first = min(new & reaching)
            ops = {i: _lasting(body.ops[i], later) for i in sorted(new)}
            self._frozen_ops.append([op for i, op in ops.items() if i < first])
            self._group_ops.append([op for i, op in ops.items() if i >= first])
        late = sorted(_ancestors(body, [slot for *_, slot in self._later]) - done)
        later = set().union(*(op.reads() for i, op in enumerate(body.layout.ops) if i not in done.union(late)))
        self._late = [_lasting(body.ops[i], later) for i in late]
        done.update(late)
        after = [i for i in range(len(body.ops)) if i not in done]
        self._after = [body.ops[i] for i in after]
        self._start = [body.ops[i] for i in after if not _ancestors(body, body.layout.ops[i].reads()) & done]
        self.instances = body.instances
        self.parts = nn.ModuleList(_modules(self._template))
        self.parts.eval()
        self._unseen = [{op[6].id for op in (*a, *b)} for a, b in zip(self._frozen_ops, self._group_ops, strict=True)]
        self.skips = any(op.guard is not None for op in body.layout.ops)
        self._trained = [part for part in self.parts if any(p.requires_grad for p in part.parameters())]

    @property
    def writes(self) -> bool:
        """Whether something runs after the optimizer step."""
        return bool(self._after)

    def forward(self, group: int, step: int, **entry: Any) -> tuple[torch.Tensor, ...]:
        """The losses of one group, scalar tensors.

        Args:
            group: 0 … groups − 1, in this order.
            step: Number of optimizer steps (times accumulation) done before this one; position of all random streams.
            entry: Further entry values of the region.
        """
        if group == 0:
            self._slots = self.body.open(step=step, **entry)
        if self._unseen[group]:
            self._look(group)
        else:
            self._run(group)
            if self.skips:
                self._require(group)
        return tuple(self._slots[self.losses[number]].data for number in self.members[group])

    def counts(self, group: int) -> list[int]:
        """Of how many samples the losses are that a group gave last.

        Raises:
            GraphError: E_BATCH, one is of none.
        """
        counts = [self._slots[self.losses[number]].count for number in self.members[group]]
        for number, count in zip(self.members[group], counts, strict=True):
            if count < 1:
                hint = "give Loss the number of samples that it is the mean of"
                port = f"{self._exit}.{number}"
                raise GraphError(
                    "E_BATCH", f"a loss of {count} samples", node=self.body.layout.owner, port=port, hint=hint
                )
        return counts

    def commit(self) -> None:
        """Hand on what nodes keep for the next pass: when the last group of this one is done, before the optimizer.

        What nothing else needs is computed now, without gradients.
        """
        if not self._later:
            return
        scope = self.body.scope
        with torch.no_grad():
            seed_all(stream_seed(scope.seed, GLOBAL_STREAM, (*scope.path, self.groups)))
            self.body.execute(self._slots, self._late)
            values: dict[str, dict[str, Any]] = {}
            for id, port, slot in self._later:
                values.setdefault(id, {})[port] = detached(self._slots[slot])
            for id, kept in values.items():
                self.body.commit(id, kept)

    def _run(self, group: int) -> None:
        """What reaches no trained weights, then the rest: dropout draws from global generators, seeded in between."""
        scope = self.body.scope
        self.body.execute(self._slots, self._frozen_ops[group])
        seed_all(stream_seed(scope.seed, GLOBAL_STREAM, (*scope.path, group)))
        self.body.execute(self._slots, self._group_ops[group])

    def _look(self, group: int) -> None:
        """A pass in which ops of a group may run for the first time: no gradient may end without a word."""
        scope = self.body.scope
        before, scope.watches = scope.watches, (*scope.watches, gradients.First(self.body, self._unseen[group]))
        try:
            self._run(group)
        finally:
            scope.watches = before
        self._require(group)

    def _require(self, group: int) -> None:
        found = {f"{self._exit}.{number}": self._slots[self.losses[number]].data for number in self.members[group]}
        gradients.require(found, self.body.layout.owner)

    def after(self, step: int, *, alone: bool = False) -> None:
        """Run what only writes, with the weights as they are after the step, without gradients.

        Args:
            step: Number of optimizer steps done, the value of all entries.
            alone: Whether no step ran before it, so that only what needs nothing of a step runs: at 0 and at the
                checkpoint that a training goes on from.
        """
        if alone:
            self._slots = self._template.copy()
        for slot in self.body.layout.entries.values():
            self._slots[slot] = step
        self.body.scope.step = step
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                self.body.execute(self._slots, self._start if alone else self._after)
        finally:
            self.train(training)
            self._slots = []

    def train(self, mode: bool = True) -> StepModule:
        """Train mode for parts with trainable parameters of their own; frozen ones stay in eval mode."""
        self.training = mode
        for part in self._trained:
            part.train(mode)
        return self


def _lasting(op: tuple[Any, ...], later: set[int]) -> tuple[Any, ...]:
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


def _reaching(body: BoundBody, trained: frozenset[str]) -> set[int]:
    """Indices of the ops that trained weights, or values that carry gradients of them, reach."""
    weights = body.regions.plan.analysis.weights
    found: set[int] = set()
    hot: set[int] = set()
    for index, op in enumerate(body.layout.ops):
        if weights.reads.get(op.id, frozenset()) & trained or op.reads() & hot:
            found.add(index)
            if op.impl.spec.gradient:
                hot.update(op.outputs)
    return found


def _groups(body: BoundBody, losses: Sequence[int], carrying: set[int]) -> list[list[int]]:
    """Losses by connected component of the nodes that carry gradients."""
    groups: list[tuple[set[int], list[int]]] = []
    for number, slot in enumerate(losses):
        needed = _ancestors(body, [slot]) & carrying
        if not needed:
            raise GraphError(
                "E_LOSS_FROZEN",
                f"loss {number} does not depend on any weights that are trained here",
                node=body.layout.owner,
                port=f"loss.{number}",
                hint="predict with the handle that the plugin gives out (lora.model), not with the bare model",
            )
        merged = (needed, [number])
        rest = []
        for group in groups:
            if group[0] & merged[0]:
                merged = (group[0] | merged[0], group[1] + merged[1])
            else:
                rest.append(group)
        groups = [*rest, merged]
    return sorted((sorted(numbers) for _, numbers in groups), key=lambda numbers: numbers[0])


def _modules(values: Iterable[Any]) -> list[nn.Module]:
    """The modules behind the invariants of the step, once each."""
    found: dict[int, nn.Module] = {}
    for value in values:
        modules = getattr(value, "modules", None)
        if isinstance(value, nn.Module):
            found[id(value)] = value
        elif callable(modules):
            found.update((id(module), module) for module in modules())
    return list(found.values())
