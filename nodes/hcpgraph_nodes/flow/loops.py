"""Regions that run their body several times."""

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import Body, Context, node

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class Turn(NamedTuple, Generic[S]):
    state: S
    index: int


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


class Item(NamedTuple, Generic[T]):
    item: T
    index: int


class Outcome(NamedTuple, Generic[R]):
    result: R


@node("flow.for_each", version=2)
def for_each(
    ctx: Context, items: list[T], body: Body[Item[T], Outcome[R]], *, draws: Literal["equal", "own"] = "equal"
) -> list[R]:
    """Run the body once for every item of a list.

    Args:
        items: The items, in order.
        draws: `equal` repeats all random draws for every item, so that results differ by the items alone, as in a sweep
            over learning rates; `own` derives them from the index, as in flow.repeat.

    Body:
        item: One of the items.
        index: Its number, from 0.
        result: What the body makes of it.

    Returns:
        out: The results, in the order of the items.
    """
    if draws == "equal":
        body.repeat_draws()
    results = []
    for index, item in enumerate(items):
        ctx.check()
        ctx.progress(index, len(items))
        results.append(body.run(item=item, index=index).result)
    return results
