"""What happens now and then during training."""

from typing import Annotated, NamedTuple

from pydantic import Field

from hcpgraph import Body, Context, node


class Tick(NamedTuple):
    step: int


@node("train.every", effects="step", title="Every n steps")
def every(
    ctx: Context, body: Body[Tick, None], *, steps: Annotated[int, Field(ge=1)] = 250, at_start: bool = True
) -> None:
    """Run a region every so many steps: previews, validation, logs.

    It runs after the optimizer step, without gradients, in eval mode, and draws the same random numbers every time, so
    that pictures can be compared. Nothing in it can change the training.

    Args:
        steps: Optimizer steps between two runs.
        at_start: Whether it also runs before the first step.

    Body:
        step: Number of optimizer steps done.
    """
    due = ctx.step % steps == 0 and (ctx.step > 0 or at_start)
    if not due and not ctx.run.requests.sampling:
        return
    body.pin()
    body.run(step=ctx.step)
