"""The loss on data that is not trained on, measured in the same way every time."""

from typing import Annotated, NamedTuple

import torch
from pydantic import Field

from hcpgraph import Body, Context, Many, node
from hcpgraph_nodes.types import Loss


class Batch(NamedTuple):
    step: int


class Measured(NamedTuple):
    loss: Many[Loss]


@node("train.validate", effects={"step", "write"}, title="Validate")
def validate(
    ctx: Context,
    body: Body[Batch, Measured],
    *,
    steps: Annotated[int, Field(ge=1)] = 100,
    batches: Annotated[int, Field(ge=1)] = 1,
    name: Annotated[str, Field(pattern=r"^\w+$")] = "validation",
) -> None:
    """Measure a loss every so many steps, on the same batches with the same noise and timesteps each time.

    It runs after the optimizer step, without gradients, in eval mode. The mean of each loss over all of its samples of
    all batches is reported, their sum where there are several, as a metric that joins the curve of the loop.

    Args:
        steps: Optimizer steps between two measurements; there is one before the first step.
        batches: How many batches.
        name: Name of the metric.

    Body:
        step: Number of the batch; a loader inside the region is read at this place.
        loss: What is measured; several losses are added.
    """
    done = ctx.step
    if done % steps != 0:
        return
    measured: list[tuple[Loss, ...]] = []
    for index in range(batches):
        body.pin(index)
        measured.append(body.run(step=index).loss)
    means = []
    for losses in zip(*measured, strict=True):
        total = torch.stack([loss.data.float() * loss.count for loss in losses]).sum()
        means.append(total / sum(loss.count for loss in losses))
    ctx.metric(done, **{name: float(torch.stack(means).sum())})
