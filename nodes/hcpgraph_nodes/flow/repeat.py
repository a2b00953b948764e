"""`flow.repeat`: a region that runs several times and goes on from what it gave."""

from typing import Annotated, Generic, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import Body, Context, node

S = TypeVar("S")


class Turn(NamedTuple, Generic[S]):
    state: S
    index: int  # type: ignore[assignment]


class Next(NamedTuple, Generic[S]):
    next: S
    stop: bool = False


@node("flow.repeat")
def repeat(ctx: Context, state: S, body: Body[Turn[S], Next[S]], *, times: Annotated[int, Field(ge=0)] = 1) -> S:
    """Run the body again and again, handing a state from one pass to the next.

    Random draws are new in every pass. A training loop in it whose weights were made outside goes on with them: pass p
    begins at step p · steps, for batches, schedules, metrics and what runs now and then.

    Args:
        state: What the first pass gets.
        times: How many passes at most; 0 gives the state back as it came.

    Body:
        state: What the pass before gave.
        index: Number of the pass, from 0.
        next: What the next pass gets.
        stop: True ends the loop after this pass.

    Returns:
        out: What the last pass gave.
    """
    for index in range(times):
        ctx.check()
        ctx.progress(index, times)
        state, stop = body.run(state=state, index=index)
        if stop:
            break
    return state
