"""A learning rate scheduler of torch whose length may be said later, and which ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LRScheduler


class Scheduler:
    """Steps a scheduler of torch up to its length, and keeps the learning rate from there on.

    Args:
        make: Makes the scheduler of a number of steps, or of None where nothing depends on it.
        length: Steps after which nothing changes; None has no end.
        waits: Whether the length is that of the training, which the loop says when it begins.
        about: What it is, in words, by its length.
    """

    def __init__(
        self,
        make: Callable[[int | None], LRScheduler],
        length: int | None,
        *,
        waits: bool = False,
        about: Callable[[int | None], str] = str,
    ) -> None:
        self._make = make
        self._about = about
        self.length = length
        self._made = None if waits else make(length)
        self.last_epoch = 0

    def begin(self, steps: int) -> None:
        """Take the length from the training, where it was not said: all steps that the optimizer will get."""
        if self._made is None:
            self.length = steps
            self._made = self._make(steps)

    @property
    def about(self) -> str:
        """What it is, in words."""
        return self._about(self.length)

    @property
    def made(self) -> LRScheduler:
        assert self._made is not None, "the length of the schedule has not been said"
        return self._made

    def step(self) -> None:
        """One step further."""
        self.last_epoch += 1
        if self.length is None or self.made.last_epoch < self.length:
            self.made.step()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, without the functions of a LambdaLR, which its constructor makes again."""
        inner = {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in self.made.state_dict().items()
            if name != "lr_lambdas"
        }
        return {"steps": self.last_epoch, "scheduler": inner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state, also from one with another length: the curve is the present one."""
        self.last_epoch = state["steps"]
        now = self.made.state_dict()
        saved = {
            name: Counter(value) if isinstance(now.get(name), Counter) else value
            for name, value in state["scheduler"].items()
        }
        self.made.load_state_dict({**now, **saved})
        if isinstance(self.made, LambdaLR) and self.length is not None:
            place = self.made.last_epoch = min(self.last_epoch, self.length)
            groups = zip(self.made.optimizer.param_groups, self.made.base_lrs, self.made.lr_lambdas, strict=True)
            for group, base, factor in groups:
                group["lr"] = base * factor(place)
