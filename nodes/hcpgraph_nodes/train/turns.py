"""Which losses are due in a step, for which optimizers."""

from __future__ import annotations

from hcpgraph import GraphError
from hcpgraph.running.step import StepModule

from ..optim.optimizer import Optimizer
from .due import ALWAYS, Due, count, idle


class Turns:
    """The groups of a step and the optimizers that they are for; a loss without an objective is for all of them.

    Args:
        module: The step.
        optimizers: Those of the loop.

    Attributes:
        plain: Whether no loss has an objective.
        names: Names of the objectives of every group, by group; empty for a group without one.
    """

    def __init__(self, module: StepModule, optimizers: tuple[Optimizer, ...]) -> None:
        self.module = module
        self.optimizers = optimizers
        self.plain = not any(module.aims)
        self.names = [aim.nodes if aim else () for aim in module.aims]
        self._dues = [(aim and Due.of(aim.settings)) or ALWAYS for aim in module.aims]
        every = {id(item.optimizer) for item in optimizers}
        self._own = [{id(item.optimizer) for item in aim.values} if aim else every for aim in module.aims]
        self._every = tuple(range(module.groups))

    def due(self, step: int) -> tuple[int, ...]:
        """Numbers of the groups that are due in a step."""
        if self.plain:
            return self._every
        return tuple(group for group in self._every if self._dues[group].at(step))

    def check(self, end: int) -> None:
        """Whether something is due in each of the first `end` steps of the loop.

        Raises:
            GraphError: E_OBJECTIVE.
        """
        if not self.plain and (step := idle(self._dues, end)) is not None:
            hint = "let one of the objectives be due in every step, or train for fewer"
            raise GraphError("E_OBJECTIVE", f"no objective is due in step {step}", port="loss", hint=hint)

    def steps(self, item: Optimizer, end: int) -> int:
        """How many steps an optimizer does in the first `end` steps of the loop."""
        if self.plain:
            return end
        return count([due for due, own in zip(self._dues, self._own, strict=True) if id(item.optimizer) in own], end)

    def optimizers_of(self, due: tuple[int, ...]) -> tuple[Optimizer, ...]:
        """The optimizers that step where these groups are due."""
        if self.plain:
            return self.optimizers
        return tuple(item for item in self.optimizers if any(id(item.optimizer) in self._own[group] for group in due))

    def select(self, group: int | None) -> None:
        """Let the weights of a group's optimizers alone ask for gradients; None: all that are trained."""
        if self.plain:
            return
        for item in self.optimizers:
            asks = group is None or id(item.optimizer) in self._own[group]
            for tensor in item.names.values():
                tensor.requires_grad_(asks)
