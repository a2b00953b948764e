"""`flow.for_each`: a region that runs once for every item of a list."""

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from hcpgraph import Body, Context, Each, node

T = TypeVar("T")
R = TypeVar("R")


class Item(NamedTuple, Generic[T]):
    item: Annotated[T, Each("items")]
    index: Annotated[int, Each("items", number=True)]  # type: ignore[assignment]


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
