"""What the nodes of `tensor.` cost beyond the calls of torch that they make, on small tensors, as they run in a step.

    python benchmarks/atoms.py [--repeats 2000] [--number 20]

Each node is called as the engine calls it, and the torch calls that it makes are called as one writes them by hand, in
turn; the least of the repeats counts on both sides. A record, which every result is, costs its share of that.
"""

from __future__ import annotations

import argparse
import gc
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hcpgraph_nodes.types import Latents, Prediction, SampleLoss, Target
from torch.nn import functional

from hcpgraph.declaring.registry import default_registry

KEYS = (("a", 0, 0), ("b", 0, 0))
X, Y, ROWS = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.randn(2)
SUB, SQUARE = {"op": "sub", "of": ["in0", "in1"]}, {"op": "square", "of": ["row0"]}
DPO: list[dict[str, Any]] = [
    *({"op": "mean_per_sample", "of": [f"in{number}"]} for number in range(4)),
    {"op": "sub", "of": ["row0", "row1"]},
    {"op": "sub", "of": ["row2", "row3"]},
    {"op": "sub", "of": ["row4", "row5"]},
    {"op": "mul", "of": ["row6", -2500]},
    {"op": "log_sigmoid", "of": ["row7"]},
    {"op": "neg", "of": ["row8"]},
]


def dpo() -> torch.Tensor:
    """The formula of `DPO`, by hand."""
    a, b, c, d = (torch.mean(each, dim=(1, 2, 3)) for each in (X, Y, X, Y))
    return -functional.logsigmoid(((a - b) - (c - d)) * -2500)


Case = tuple[str, dict[str, Any], tuple[Any, ...], Callable[[], Any]]


def cases() -> list[Case]:
    """Node, settings, inputs, and what it does with torch."""
    x, y, loss = Latents(X, KEYS), Latents(Y, KEYS), SampleLoss(X)
    p, t = Prediction(X), Target(Y)
    big = functional.interpolate
    return [
        ("tensor.mix", {"weights": [1.0, -1.0]}, ((x, y),), lambda: torch.add(X, Y, alpha=-1.0)),
        ("tensor.mix", {"weights": [0.5, 0.5]}, ((p, Prediction(Y)),), lambda: torch.add(X * 0.5, Y, alpha=0.5)),
        ("tensor.map", {"function": "square"}, (x,), lambda: torch.square(X)),
        ("tensor.map", {"function": "clamp", "low": 0.0, "high": 1.0}, (x,), lambda: X.clamp(0.0, 1.0)),
        ("tensor.scale", {"multiplier": 2.0}, (x, None), lambda: X * 2.0),
        ("tensor.scale", {"multiplier": 1.0}, (loss, SampleLoss(ROWS)), lambda: X * ROWS.view(-1, 1, 1, 1)),
        ("tensor.per_sample", {"reduction": "mean"}, (loss,), lambda: X.flatten(1).mean(1)),
        ("tensor.like", {}, (p, Prediction(Y)), lambda: X),
        ("tensor.concat", {"along": "channels"}, ((x, y),), lambda: torch.cat([X, Y], 1)),
        ("tensor.concat", {"along": "batch"}, ((x, y),), lambda: torch.cat([X, Y], 0)),
        ("tensor.split", {"along": "batch"}, (x,), lambda: X.split((1, 1), 0)),
        ("tensor.slice", {"along": "channels", "start": 2}, (x,), lambda: X[:, 2:]),
        ("tensor.resize", {"zoom": 2.0, "method": "area"}, (x, None), lambda: big(X, (16, 16), mode="area")),
        ("tensor.formula", {"rows": [SUB, SQUARE]}, (p, (t,)), lambda: torch.square(X - Y)),
        ("tensor.formula", {"rows": DPO}, (loss, (SampleLoss(Y), loss, SampleLoss(Y))), dpo),
        ("loss.elements", {}, (p,), lambda: X),
    ]


def cost(call: Callable[[], Any], bare: Callable[[], Any], repeats: int, number: int) -> tuple[float, float]:
    """µs of a call, and of the torch calls in it, the least of the repeats."""
    best = [float("inf")] * 2
    for _ in range(repeats):
        for side, function in enumerate((call, bare)):
            best[side] = min(best[side], timeit.timeit(function, number=number) / number * 1e6)
    return best[0], best[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000)
    parser.add_argument("--number", type=int, default=20)
    asked = parser.parse_args()
    gc.disable()
    torch.set_num_threads(1)
    registry = default_registry()
    print(f"{'node':20}{'µs':>8}{'torch':>8}{'own':>8}")
    record = cost(lambda: Latents(X, KEYS), lambda: X, asked.repeats, asked.number)
    print(f"{'a record':20}{record[0]:8.2f}{record[1]:8.2f}{record[0] - record[1]:8.2f}")
    for id, settings, inputs, bare in cases():
        impl = registry.impl(id)
        valid = impl.settings({**impl.spec.defaults, **settings})
        target = impl.target(**valid) if impl.spec.is_class else partial(impl.target, **valid)
        whole, torch_calls = cost(partial(target, *inputs), bare, asked.repeats, asked.number)
        print(f"{id:20}{whole:8.2f}{torch_calls:8.2f}{whole - torch_calls:8.2f}")


if __name__ == "__main__":
    main()
