"""Nodes that take their time, for tests of cancelling."""

import time

from hcpgraph import Context, node

LONGEST = 120


@node("slow.wait", effects="random")
def wait(ctx: Context, a: float = 0.0, *, times: int = LONGEST * 100) -> float:
    """Count slowly and stop when asked to.

    Args:
        a: Added to the count.
        times: How far to count.
    """
    for index in range(times):
        ctx.check()
        if index == 0:
            ctx.log("waiting")
        ctx.progress(index + 1, times, loss=1.0 / (index + 1))
        time.sleep(0.01)
    return a + times


@node("slow.deaf", effects="random")
def deaf(ctx: Context) -> float:
    """Wait without ever asking whether to stop."""
    ctx.log("waiting")
    time.sleep(LONGEST)
    return 0.0
