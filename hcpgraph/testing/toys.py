"""Toy nodes: a pack of one file for tests and for reading (`packs=[hcpgraph.testing.FOLDER]`)."""

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from hcpgraph import Body, Choose, Context, Each, GraphError, Lazy, Many, node
from hcpgraph.widgets import PathPicker, Seed, Slider

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")


@node("toy.number", fold=True)
def number(*, value: Annotated[float, Slider(step=0.1)] = 0.0) -> float:
    """A number.

    Args:
        value: The number.
    """
    return value


@node("toy.word", fold=True)
def word(*, text: str = "") -> str:
    """A word.

    Args:
        text: The word.
    """
    return text


@node("toy.add")
def add(a: float, b: float = 0.0, *, plus: float = 0.0) -> float:
    """Add two numbers and a setting.

    Args:
        a: First number.
        b: Second number.
        plus: A third one.
    """
    return a + b + plus


@node("toy.sum")
def total(numbers: Many[float]) -> float:
    """Add many numbers.

    Args:
        numbers: What is added, in order.
    """
    return float(sum(numbers))


@node("toy.numbers")
def numbers(*, values: list[float] = [1.0, 2.0, 3.0]) -> list[float]:  # noqa: B006 - a default of the schema
    """A list of numbers.

    Args:
        values: The numbers.
    """
    return list(values)


class Halves(NamedTuple):
    whole: int
    rest: float


@node("toy.split")
def split(a: float) -> Halves:
    """Split a number into its whole part and the rest.

    Args:
        a: The number.
    """
    return Halves(int(a), a - int(a))


@node("toy.fail")
def fail(a: float = 0.0, *, code: str = "") -> float:
    """Fail on purpose.

    Args:
        a: Not used.
        code: Raise a GraphError of this code instead of a plain error.
    """
    if code:
        raise GraphError(code, "failed on purpose", hint="do not use this node")
    raise ValueError("failed on purpose")


@node("toy.draw", effects="random")
def draw(ctx: Context, a: float = 0.0) -> float:
    """A number from this node's random stream, plus `a`.

    Args:
        a: Added to the draw.
    """
    return a + (ctx.seed() % 1_000_003) / 1_000_003


@node("toy.seeded")
def seeded(*, seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0) -> int:
    """Give its seed back.

    Args:
        seed: The seed.
    """
    return seed


@node("toy.read", effects="read")
def read(ctx: Context, *, path: Annotated[str, PathPicker(kind_of="file")]) -> str:
    """The text of a file.

    Args:
        path: The file.
    """
    return ctx.path(path).read_text(encoding="utf-8")


@node("toy.write", effects="write")
def write(
    ctx: Context, value: T, *, path: Annotated[str, PathPicker(kind_of="file", write=True)] = "out:toy.txt"
) -> str:
    """Write a value as text.

    Args:
        value: What to write.
        path: Where to.
    """
    target = ctx.output(path)
    target.write_text(str(value), encoding="utf-8")
    ctx.artifact(target, "file")
    return ctx.run.roots.uri(target)


@node("toy.choose", choose=Choose("take", {"a": ["a"], "b": ["b"]}))
def choose(
    a: Lazy[T] = None,  # type: ignore[assignment]
    b: Lazy[T] = None,  # type: ignore[assignment]
    *,
    take: Literal["a", "b"] = "a",
) -> T:
    """One of two branches; the other one is not run.

    Args:
        a: First branch.
        b: Second branch.
        take: Which one, `a` or `b`.
    """
    return a if take == "a" else b


@node("toy.counter", effects="state")
class Counter:
    """Counts its calls.

    Args:
        a: Added to the count.
        start: Where it starts.
    """

    def __init__(self, *, start: int = 0) -> None:
        self.count = start

    def __call__(self, a: float = 0.0) -> float:
        self.count += 1
        return a + self.count


class Turn(NamedTuple, Generic[S]):
    state: S
    index: int  # type: ignore[assignment]


class Next(NamedTuple, Generic[S]):
    next: S
    stop: bool = False


@node("toy.repeat")
def repeat(ctx: Context, state: S, body: Body[Turn[S], Next[S]], *, times: Annotated[int, Field(ge=0)] = 1) -> S:
    """Run the body again and again.

    Args:
        state: What the first pass gets.
        times: How many passes.

    Body:
        state: What the pass before gave.
        index: Number of the pass.
        next: What the next pass gets.
        stop: Stop after this pass.
    """
    for index in range(times):
        ctx.check()
        state, stop = body.run(state=state, index=index)
        if stop:
            break
    return state


class Item(NamedTuple, Generic[T]):
    item: Annotated[T, Each("items")]
    index: Annotated[int, Each("items", number=True)]  # type: ignore[assignment]


class Outcome(NamedTuple, Generic[R]):
    result: R


@node("toy.each")
def each(ctx: Context, items: list[T], body: Body[Item[T], Outcome[R]]) -> list[R]:
    """Run the body once an item.

    Args:
        items: The items.

    Body:
        item: One of them.
        index: Its number.
        result: What the body makes of it.
    """
    return [body.run(item=item, index=index).result for index, item in enumerate(items)]
