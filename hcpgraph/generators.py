"""The global random generators, and the testing mode that names who moves them.

Their state depends on everything that ran before, so nothing may draw from them: a node that does says `random`, and is
reproducible by seeding them for itself. Only the ops of a training step that can reach trained weights draw from them
(dropout); they are seeded before the first of these.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import GraphError

if TYPE_CHECKING:
    from .region import BoundBody

VARIABLE = "HCPGRAPH_WATCH_GENERATORS"


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
            hint="draw from ctx.generator, or put the state back as torch.random.fork_rng does",
        )


def watch(body: BoundBody, slots: list[Any], ops: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The ops of a pass; none moves a global generator but those that are random and those that may draw in a step."""
    effects = body.regions.plan.analysis.weights.effects
    for op in ops:
        id = body.layout_of(op).id
        if "random" in effects[id] or body.draws(id):
            yield op
            continue
        with unmoved(id):
            yield op


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
