"""The training step as one `torch.nn.Module`: what an engine wraps, and what a drawing compiles to (DESIGN §5.3-4).

Losses that share a node which carries gradients form a group: it is summed and back-propagated at once. Groups run in
turn, so that memory is that of the largest one; what is frozen is computed once and shared. What only writes runs after
the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..declaring.body import Body
from ..errors import GraphError
from ..generators import seed_all
from ..rng import stream_seed
from . import gradients
from .detached import detached
from .groups import GLOBAL_STREAM, Groups
from .region import BoundBody


class StepModule(nn.Module):
    """One step of a training region.

    Args:
        body: The bound body of the loop.
        exit: Name of the exit that takes the losses, each with a scalar `data` that is the mean over `count` samples.

    Attributes:
        losses: Slots of the losses, by number.
        members: Numbers of the losses of every group.
        aims: What the losses of every group are for; None: for all that is trained.
        groups: Number of loss groups, which the caller runs in turn: the first one that is due opens a step.
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
        self._later = body.layout.later
        self._found = Groups(body, self.losses)
        self.members = [group.losses for group in self._found.groups]
        self.aims = [group.aim for group in self._found.groups]
        self.groups = len(self.members)
        self.take(tuple(range(self.groups)))
        self._writes = bool(self._pass.after)
        self.instances = body.instances
        self.parts = nn.ModuleList(_modules(self._template))
        self.parts.eval()
        self._unseen = [self._found.carrying(group) for group in range(self.groups)]
        self.skips = any(op.guard is not None for op in body.layout.ops)
        self._trained = [part for part in self.parts if any(p.requires_grad for p in part.parameters())]

    @property
    def writes(self) -> bool:
        """Whether something runs after the optimizer step."""
        return self._writes

    def take(self, due: tuple[int, ...]) -> None:
        """Say which groups the next passes consist of, at least one; at first all of them."""
        self._pass = self._found.taking(due)

    def forward(self, group: int, step: int, **entry: Any) -> tuple[torch.Tensor, ...]:
        """The losses of one group, scalar tensors.

        Args:
            group: Of those that are due, ascending.
            step: Number of optimizer steps (times accumulation) done before this one; position of all random streams.
            entry: Further entry values of the region.
        """
        if group == self._pass.first:
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
            seed_all(stream_seed(scope.seed, f"{GLOBAL_STREAM}:next", scope.path))
            self.body.execute(self._slots, self._pass.late)
            values: dict[str, dict[str, Any]] = {}
            for id, port, slot in self._later:
                values.setdefault(id, {})[port] = detached(self._slots[slot])
            for id, kept in values.items():
                self.body.commit(id, kept)

    def _run(self, group: int) -> None:
        """What reaches no trained weights, then the rest: dropout draws from global generators, seeded in between."""
        scope = self.body.scope
        self.body.execute(self._slots, self._pass.frozen[group])
        stream, place = self._found.groups[group].seed
        seed_all(stream_seed(scope.seed, stream, (*scope.path, place)))
        self.body.execute(self._slots, self._pass.rest[group])

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
                self.body.execute(self._slots, self._found.start if alone else self._pass.after)
        finally:
            self.train(training)
            self._slots = []

    def train(self, mode: bool = True) -> StepModule:
        """Train mode for parts with trainable parameters of their own; frozen ones stay in eval mode."""
        self.training = mode
        for part in self._trained:
            part.train(mode)
        return self


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
