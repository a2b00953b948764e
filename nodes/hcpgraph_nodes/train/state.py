"""What a training step keeps for the next one."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import torch
from torch import distributed

from hcpgraph import Context, GraphError, Later, node
from hcpgraph.running.codec import NoCodec, digest
from hcpgraph.running.detached import tensors
from hcpgraph.widgets import Hint

T = TypeVar("T")


@node("train.state", effects="state", title="State of the step")
class State:
    """Keep a value from step to step: the `next` of one step is what the node gives in the one after it.

    A pass of the region reads the value first. Once the gradients of the pass are there, and before the optimizer
    steps, `next` takes its place, as it is, without gradients; with accumulation that happens once a pass. The value
    is in the checkpoints, so that a training goes on exactly. With it are drawn running means, queues of earlier
    batches, alternating batches and whatever else looks back.

    Args:
        initial: What the first pass reads.
        next: What the next pass reads; it may come from what this node gives.
        ranks: Where several processes train together each keeps its `own` value, or all keep the `mean` of their
            numbers.

    Returns:
        out: The value of this pass.

    Raises:
        GraphError: E_KEPT, the value cannot be kept in a checkpoint.
    """

    def __init__(self, *, ranks: Annotated[Literal["own", "mean"], Hint(advanced=True)] = "own") -> None:
        self.ranks = ranks
        self._kept: tuple[Any, ...] = ()
        self._on_device: list[bool] = []
        self._checked = False

    def __call__(self, ctx: Context, initial: T, next: Later[T]) -> T:
        if not self._kept:
            return initial
        if self._on_device:
            for tensor, moved in zip(tensors(self._kept), self._on_device, strict=True):
                tensor.data = tensor.data.to(ctx.device if moved else "cpu")
            self._on_device = []
        value: T = self._kept[0]
        return value

    def commit(self, next: Any) -> None:
        """Keep what the next pass reads."""
        if not self._checked:
            try:
                digest(next)
            except NoCodec as error:
                hint = "keep numbers, texts, or values that nodes make, such as latents"
                raise GraphError("E_KEPT", f"a checkpoint cannot hold {error}", port="next", hint=hint) from None
            self._checked = True
        if self.ranks == "mean" and distributed.is_available() and distributed.is_initialized():
            next = _mean(next)
        self._kept = (next,)

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self._kept, "on_device": [tensor.device.type != "cpu" for tensor in tensors(self._kept)]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._kept, self._on_device = tuple(state["kept"]), list(state["on_device"])


def _mean(value: Any) -> Any:
    """The value with the means over all processes in the place of its numbers with a fraction."""
    world = distributed.get_world_size()
    if isinstance(value, float):
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total / world)
    for tensor in tensors(value):
        if tensor.is_floating_point():
            distributed.all_reduce(tensor)
            tensor.div_(world)
    return value
