"""A source of pictures and a transform that live in a pack folder, and things that no other process can have."""

import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.transforms.transform import Transform, Views

from hcpgraph import Context, node


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture of one colour."""

    level: int
    size: tuple[int, int] = (24, 24)

    def load(self) -> np.ndarray:
        return np.full((*self.size[::-1], 3), self.level, np.uint8)


@dataclass(frozen=True, slots=True)
class Darker(Transform):
    """Half as bright."""

    def apply(self, views: Views, draw: int) -> Views:
        return replace(views, picture=views.picture // 2)


@dataclass(frozen=True)
class Locked(Transform):
    """Holds what cannot be pickled."""

    lock: Any = field(default_factory=threading.Lock, compare=False)


@node("loader_pack.paint")
def paint(ctx: Context, *, count: int = 6, locked: bool = False) -> Dataset:
    """Pictures of one colour each.

    Args:
        count: How many.
        locked: Whether they hold what no other process can have.
    """
    chain = (Darker(), Locked()) if locked else (Darker(),)
    return Dataset(
        "painted", tuple(Sample(Painted(40 * i), f"level {i}", str(i), transforms=chain) for i in range(count))
    )


@node("loader_pack.drain", effects="random")
def drain(ctx: Context, loader: Loader, *, steps: int = 1_000_000) -> int:
    """Read batch after batch.

    Args:
        loader: Where batches come from.
        steps: How many.
    """
    for step in range(steps):
        ctx.check()
        loader.batch(step)
        ctx.progress(step + 1, steps)
    return steps
