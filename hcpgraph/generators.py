"""The global random generators: seeded for those who draw from them, and a testing mode that names who moves them.

Their state depends on everything that ran before, so a node that draws from them says `random` and does it within
`seeded`. The ops of a training step that can reach trained weights draw from them too (dropout); they are seeded before
the first of these.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import GraphError
from .rng import stream_seed

if TYPE_CHECKING:
    import torch

VARIABLE = "HCPGRAPH_WATCH_GENERATORS"
_alone = threading.RLock()


def seed_all(seed: int) -> None:
    """Seed the generators of Python, of NumPy, and of torch on the CPU and on accelerators in use, in microseconds.

    `torch.manual_seed` also queues a call, with the stack of its caller, for every kind of device that is not in use:
    a millisecond each time, and memory that is never given back.
    """
    import torch

    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


@contextmanager
def seeded(draw: int, device: torch.device | None = None) -> Iterator[None]:
    """The generators of torch, NumPy and Python start from a draw and are afterwards as they were.

    One thread at a time: the generators are those of all threads.

    Args:
        draw: What they are seeded from.
        device: A CUDA device whose generator is among them.
    """
    import numpy as np
    import torch

    devices = [device] if device is not None and device.type == "cuda" else []
    with _alone, torch.random.fork_rng(devices=devices):
        python, legacy = random.getstate(), np.random.get_state()
        torch.default_generator.manual_seed(stream_seed(draw, "torch"))
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(stream_seed(draw, "torch"))
        np.random.seed(stream_seed(draw, "numpy") % 2**32)
        random.seed(stream_seed(draw, "python"))
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(python)


def watching() -> bool:
    """Whether the environment asks for the testing mode."""
    return bool(os.environ.get(VARIABLE))


@contextmanager
def unmoved(node: str) -> Iterator[None]:
    """Within it the generators of torch, NumPy and Python must stay as they are.

    Raises:
        GraphError: E_GLOBAL_DRAW.
    """
    before = _states()
    yield
    after = _states()
    if moved := [name for name, state in before.items() if after[name] != state]:
        raise GraphError(
            "E_GLOBAL_DRAW",
            f"the global generator of {' and '.join(moved)} was moved, and the node is not declared random",
            node=node,
            hint="draw from ctx.generator, or within hcpgraph.generators.seeded",
        )


def _states() -> dict[str, Any]:
    found: dict[str, Any] = {"Python": random.getstate()}
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        found["NumPy"] = (kind, keys.tobytes(), *rest)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch"] = torch.default_generator.get_state().numpy().tobytes()
        if torch.cuda.is_initialized():
            found["CUDA"] = [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    return found
