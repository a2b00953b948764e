"""Names of random streams -> seeds.

A draw inside a region is a function of (run seed, stream, iteration path, sample key) and of nothing else: not of
history, rank or batch position (DESIGN §5.5). The hash is BLAKE2b cut to 63 bits, which every generator takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

SEED_MAX = 2**32 - 1


def stream_seed(seed: int, stream: str, path: Iterable[int] = (), key: Any = None) -> int:
    """The seed, 0 … 2^63 − 1, of one draw.

    Args:
        seed: Seed of the run or of the training loop.
        stream: Name of the stream: the node's `stream` field, else its id.
        path: Indices of all enclosing regions, outermost first.
        key: Sample key (data set, epoch, position), or None for a draw that belongs to no sample.
    """
    text = f"{seed}\0{stream}\0{','.join(map(str, path))}\0{key!r}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
