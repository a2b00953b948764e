"""The gradients of one optimizer step: every loss is averaged over all of its samples of all passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hcpgraph_nodes.train.turns import Turns

if TYPE_CHECKING:
    from accelerate import Accelerator


class Accumulation:
    """Runs the passes of a step and back-propagates their losses.

    How many samples a loss has in all is known after the last pass only. The first attempt takes all passes for as
    large as the first one. Where they were not, and all losses are off by the same factor, the gradients are scaled by
    it; where the factors differ, the passes are run again with the numbers that are known now.

    Args:
        accelerator: Of the run.
        model: The step as the accelerator wraps it.
        module: The step.
        turns: Which losses are due in which step.
        passes: Passes a step.
        params: What is trained.
    """

    def __init__(
        self, accelerator: Accelerator, model: Any, turns: Turns, passes: int, params: Iterable[Tensor]
    ) -> None:
        self.accelerator = accelerator
        self.model = model
        self.turns = turns
        self.module = turns.module
        self.passes = passes
        self.params = list(params)

    def run(self, step: int, due: tuple[int, ...]) -> dict[str, Tensor]:
        """The gradients of an optimizer step; returns the means of the losses, detached: `loss` is the sum of all, and
        `loss/NAME` that of an objective.

        Args:
            step: Optimizer steps done before this one.
            due: Numbers of the groups that are due.
        """
        self.module.take(due)
        before = self._state()
        found = self._attempt(step, due, None)
        totals = [sum(counts) for counts, _ in found]
        off = {
            Fraction(counts[0] * self.passes, total) for (counts, _), total in zip(found, totals, strict=True) if total
        }
        if len(off) > 1:
            self._restore(before)
            found = self._attempt(step, due, totals)
        elif (factor := float(off.pop())) != 1:
            for tensor in self.params:
                if tensor.grad is not None:
                    tensor.grad.mul_(factor)
        self.turns.select(None)
        means = {number: _mean(counts, values) for number, (counts, values) in enumerate(found) if counts}
        told = {"loss": torch.stack(list(means.values())).sum()}
        for group in () if self.turns.plain else due:
            for name, number in zip(self.turns.names[group], self.module.members[group], strict=False):
                told[f"loss/{name}"] = means[number]
        return told

    def _attempt(
        self, step: int, due: tuple[int, ...], totals: Sequence[int] | None
    ) -> list[tuple[list[int], list[Tensor]]]:
        """Run all passes; gives the samples and the values of every loss, pass by pass.

        Args:
            totals: Samples of every loss in all passes; None takes them from the first pass.
        """
        found: list[tuple[list[int], list[Tensor]]] = [([], []) for _ in self.module.losses]
        last = self.passes - 1, due[-1]
        for micro in range(self.passes):
            for group in due:
                self.turns.select(group)
                if (micro, group) == last:
                    self._backward(group, step * self.passes + micro, totals, found)
                else:
                    with self.accelerator.no_sync(self.model):
                        self._backward(group, step * self.passes + micro, totals, found)
            self.module.commit()
        return found

    def _backward(
        self, group: int, number: int, totals: Sequence[int] | None, found: list[tuple[list[int], list[Tensor]]]
    ) -> None:
        losses = self.model(group, number, update=number // self.passes)
        shares = []
        for loss, value, count in zip(self.module.members[group], losses, self.module.counts(group), strict=True):
            counts, values = found[loss]
            counts.append(count)
            values.append(value.detach().float())
            shares.append((counts[0] * self.passes if totals is None else totals[loss]) / count)
        if len(set(shares)) == 1:
            total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
            total = total if shares[0] == 1 else total / shares[0]
        else:
            total = torch.stack([value / share for value, share in zip(losses, shares, strict=True)]).sum()
        self.accelerator.backward(total)

    def _state(self) -> tuple[dict[str, Any], dict[str, int]]:
        """What a pass changes besides gradients, where it may have to be run again."""
        if self.passes == 1 or len(self.module.losses) == 1:
            return {}, {}
        nodes = self.module.instances.items()
        series = self.module.body.series or {}
        return (
            {id: deepcopy(node.state_dict()) for id, node in nodes if hasattr(node, "state_dict")},
            {name: len(points) for name, points in series.items()},
        )

    def _restore(self, before: tuple[dict[str, Any], dict[str, int]]) -> None:
        states, lengths = before
        for id, state in states.items():
            self.module.instances[id].load_state_dict(state)
        series = self.module.body.series or {}
        for name, points in series.items():
            del points[lengths.get(name, 0) :]
        for tensor in self.params:
            tensor.grad = None


def _mean(counts: Sequence[int], values: Sequence[Tensor]) -> Tensor:
    """The mean over all samples of values that are means over `counts` of them."""
    if len(values) == 1:
        return values[0]
    return torch.stack([count * value for count, value in zip(counts, values, strict=True)]).sum() / sum(counts)
