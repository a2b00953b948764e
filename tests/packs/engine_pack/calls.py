"""Nodes that leave a trace of every call, one for each effect; the trace is the list CALLS."""

from typing import NamedTuple

from hcpgraph import Body, Context, Many, node

CALLS: list[str] = []


@node("calls.pure")
def pure(ctx: Context, a: float = 0.0, b: float = 0.0, *, plus: float = 0.0) -> float:
    """Add.

    Args:
        a: A number.
        b: Another one.
        plus: A third one.
    """
    CALLS.append(ctx.node)
    return a + b + plus


@node("calls.random", effects="random")
def random(ctx: Context, a: float = 0.0) -> float:
    """A draw that depends on the pass.

    Args:
        a: Added to it.
    """
    CALLS.append(ctx.node)
    return a + ctx.seed() % 1000


@node("calls.joined")
def joined(numbers: Many[float]) -> str:
    """Numbers as a text.

    Args:
        numbers: The numbers, in order.
    """
    return " ".join(map(str, numbers))


@node("calls.length")
def length(text: str) -> float:
    """The length of a text.

    Args:
        text: The text.
    """
    return float(len(text))


@node("calls.step", effects="step")
def step(ctx: Context, a: float = 0.0) -> float:
    """The position of the loop.

    Args:
        a: Added to it.
    """
    CALLS.append(ctx.node)
    return a + ctx.step


@node("calls.state", effects="state")
class State:
    """Counts its calls.

    Args:
        a: Added to the count.
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, ctx: Context, a: float = 0.0) -> float:
        CALLS.append(ctx.node)
        self.count += 1
        return a + self.count


@node("calls.write", effects="write")
def write(ctx: Context, a: float = 0.0) -> None:
    """Write nothing but the trace.

    Args:
        a: A number.
    """
    CALLS.append(f"{ctx.node}={a:g}")


@node("calls.stop")
def stop(ctx: Context, a: float = 0.0) -> float:
    """Ask the run to stop, then go on to the next safe place.

    Args:
        a: A number.
    """
    ctx.run.cancel.set()
    ctx.check()
    return a


class Pass(NamedTuple):
    step: int


@node("calls.loop")
def loop(ctx: Context, body: Body[Pass, None], *, steps: int = 2) -> int:
    """Run a body that has no exit.

    Args:
        steps: How often.

    Body:
        step: Number of the pass.
    """
    for index in range(steps):
        ctx.check()
        body.run(step=index)
    return steps


@node("calls.bad_result")
def bad_result() -> Pass:
    """Promises a named tuple and gives nothing."""
    return None
