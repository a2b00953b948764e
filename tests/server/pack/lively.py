"""Nodes whose progress a test holds in its hand: they wait for files, die, or do not listen."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from hcpgraph import Context, node
from hcpgraph.types import port_type


@port_type(color="#888888")
@dataclass(frozen=True)
class Swatch:
    """A colour."""

    red: int


@node("lively.wait", effects="write")
def wait(ctx: Context, a: float = 0.0, *, gate: str = "gate", deaf: bool = False) -> float:
    """Wait until a file is there.

    Args:
        a: Given on.
        gate: Name of the file below data:.
        deaf: Do not listen to a cancel.
    """
    file = ctx.run.roots.root("data") / gate
    while not file.exists():
        if not deaf:
            ctx.check()
        time.sleep(0.01)
    return a


@node("lively.count", effects="write")
def count(ctx: Context, a: float = 0.0, *, steps: int = 100, pause: int = -1, gate: str = "gate") -> float:
    """Report a number at every step, and wait for a file at one of them.

    Args:
        a: Added to the numbers.
        steps: How many.
        pause: Step to wait at.
        gate: The file, below data:.
    """
    for step in range(steps):
        if step == pause:
            wait(ctx, gate=gate)
        ctx.check()
        ctx.metric(step + 1, value=a + step % 7, square=float(step) ** 2)
        ctx.progress(step + 1, steps, value_now=a + step)
    ctx.log(f"counted to {steps}")
    return float(steps)


@node("lively.hungry", effects="write")
def hungry(ctx: Context) -> float:
    """Want more memory than there is."""
    raise MemoryError("no more")


@node("lively.die", effects="write")
def die(ctx: Context, a: float = 0.0, *, code: int = 3) -> float:
    """End the process.

    Args:
        a: Not used.
        code: Its exit code.
    """
    ctx.progress(1, 5)
    print("last words", flush=True)
    time.sleep(0.3)  # as long as it takes to say what was told
    os._exit(code)


@node("lively.pid", effects="write")
def pid(ctx: Context, *, salt: int = 0) -> float:
    """Tell the process id, and talk.

    Args:
        salt: Makes a result of its own, which no cache has.
    """
    print('{"type": "done"}', flush=True)
    os.write(1, b"\x00not a message\n")
    ctx.metric(1, pid=os.getpid())
    return float(os.getpid())


@node("lively.train", effects="write", mutates=("a",))
def train(ctx: Context, a: float) -> float:
    """Change what comes in, as a training loop does.

    Args:
        a: What is changed.
    """
    ctx.metric(1, pid=os.getpid())
    return a


@node("lively.paint", effects="write")
def paint(ctx: Context, *, path: str = "out:paint.png", seed: int = 0) -> Swatch:
    """Write a picture.

    Args:
        path: Where to.
        seed: Of its colour.
    """
    from PIL import Image

    target: Path = ctx.output(path)
    Image.new("RGB", (640, 320), (seed % 256, 100, 50)).save(target)
    ctx.artifact(target, "image")
    return Swatch(seed % 256)
